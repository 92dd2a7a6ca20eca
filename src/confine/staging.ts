/**
 * Sources of mounts that an OCI runtime cannot reach. It resolves them as the container's root, an unprivileged
 * user here, for whom everything below a private directory (a home directory, say) is out of reach; such a source
 * is mounted first at a place that everybody reaches, in the runtime's own mount namespace.
 */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { StagedMount } from "./oci-runtime.ts";
import type { Mount } from "./ports.ts";

const SEARCHABLE_BY_OTHERS = 0o001;

/** Whether everybody may pass through the directories above a path. */
export async function isReachable(path: string): Promise<boolean> {
  for (let directory = dirname(path); ; directory = dirname(directory)) {
    if (((await stat(directory)).mode & SEARCHABLE_BY_OTHERS) === 0) return false;
    if (directory === "/") return true;
  }
}

/** The mounts with sources that can be reached, and what must be staged for that. */
export async function stageMounts(
  mounts: readonly Mount[],
  directory: string,
  prefix: string,
): Promise<{ mounts: Mount[]; staged: StagedMount[] }> {
  const staged: StagedMount[] = [];
  const reachable = await Promise.all(
    mounts.map(async (mount, index): Promise<Mount> => {
      if (await isReachable(mount.source)) return mount;
      const target = join(directory, `${prefix}-${index}`);
      await mkdir(directory, { recursive: true, mode: 0o755 });
      if ((await stat(mount.source)).isDirectory()) await mkdir(target, { mode: 0o755 });
      else await writeFile(target, "", { mode: 0o644 });
      staged.push({ source: mount.source, target });
      return { ...mount, source: target };
    }),
  );
  return { mounts: reachable, staged };
}
