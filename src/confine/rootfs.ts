/**
 * What a container's root looks like: a skeleton of empty directories, with the machine's own read-only /usr
 * or the directories of a built image mounted into it.
 */
import { existsSync } from "node:fs";
import { copyFile, lstat, mkdir, readdir, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Mount } from "./ports.ts";

const DIRECTORIES = ["dev", "etc", "proc", "run/rollcall", "run/slot", "tmp", "usr", "work"];
const LINKS = ["bin", "lib", "lib32", "lib64", "sbin"];

/** Directories of an image that are never shown: the sandbox has its own, or needs none. */
const NOT_OF_THE_IMAGE = new Set([
  "boot",
  "dev",
  "home",
  "media",
  "mnt",
  "opt",
  "proc",
  "root",
  "run",
  "srv",
  "sys",
  "tmp",
  "var",
  "work",
]);

const ETC_FILES: Readonly<Record<string, string>> = {
  passwd:
    "root:x:0:0:root:/tmp:/usr/sbin/nologin\nsandbox:x:1000:1000:sandbox:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
  group: "root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n",
  hosts: "127.0.0.1 localhost\n::1 localhost\n",
  hostname: "sandbox\n",
  "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
};

export interface Rootfs {
  readonly path: string;
  readonly base: readonly Mount[];
}

/** A skeleton below `directory` over the machine's own /usr. */
export async function machineRootfs(directory: string): Promise<Rootfs> {
  await makeSkeleton(directory);
  for (const name of LINKS) {
    if (existsSync(`/usr/${name}`)) await symlink(`usr/${name}`, join(directory, name));
  }
  for (const [name, text] of Object.entries(ETC_FILES))
    await writeFile(join(directory, "etc", name), text, { mode: 0o644 });
  const base: Mount[] = [{ source: "/usr", target: "/usr", readOnly: true }];
  // Debian finds the BLAS that numpy is linked to by way of /etc/alternatives.
  if (existsSync("/etc/alternatives"))
    base.push({ source: "/etc/alternatives", target: "/etc/alternatives", readOnly: true });
  if (existsSync("/etc/ld.so.cache")) await copyFile("/etc/ld.so.cache", join(directory, "etc/ld.so.cache"));
  return { path: directory, base };
}

/** A skeleton below `directory` over the directories of a built image. */
export async function imageRootfs(directory: string, image: string): Promise<Rootfs> {
  if (!existsSync(join(image, "usr")))
    throw new Error(`${image} is not the directory of an image: it has no usr`);
  await makeSkeleton(directory);
  const base: Mount[] = [];
  for (const name of await readdir(image)) {
    if (NOT_OF_THE_IMAGE.has(name)) continue;
    const source = join(image, name);
    const status = await lstat(source);
    if (status.isSymbolicLink()) await symlink(await readlink(source), join(directory, name));
    else if (status.isDirectory()) base.push({ source, target: `/${name}`, readOnly: true });
  }
  return { path: directory, base };
}

/** Makes the place in the skeleton that a mount goes to, unless it lies in something that is mounted itself. */
export async function makeMountPoint(rootfs: Rootfs, mount: Mount): Promise<void> {
  const target = join(rootfs.path, mount.target);
  if (existsSync(target) || rootfs.base.some((base) => mount.target.startsWith(`${base.target}/`))) return;
  if ((await stat(mount.source)).isDirectory()) {
    await mkdir(target, { recursive: true, mode: 0o755 });
    return;
  }
  await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  await writeFile(target, "", { mode: 0o644 });
}

async function makeSkeleton(directory: string): Promise<void> {
  for (const name of DIRECTORIES) await mkdir(join(directory, name), { recursive: true, mode: 0o755 });
}
