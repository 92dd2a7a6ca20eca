/**
 * A Confinement that confines nothing: hosts are plain children. What a container would show at a mount's
 * target is found at the mount's source, so paths on the command line are translated.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Confinement, Container, ContainerExit, ContainerSpec } from "../../../src/confine/ports.ts";

const STDERR_KEPT = 8192;

function outside(spec: ContainerSpec, argument: string): string {
  if (argument.startsWith("/run/rollcall/"))
    return join(spec.controlDirectory, argument.slice("/run/rollcall/".length));
  const mount = spec.mounts.find(({ target }) => argument === target || argument.startsWith(`${target}/`));
  return mount === undefined ? argument : mount.source + argument.slice(mount.target.length);
}

export function createUnconfined(): Confinement & { readonly launched: Container[]; close(): Promise<void> } {
  const directories: string[] = [];
  const launched: Container[] = [];
  return {
    launched,
    isolation: { tier: "none", layers: [], detail: {} },
    slotBounds: { cgroup: "none", namespaces: false, readable: [], uidShift: 0 },
    async launch(spec) {
      const [command = "", ...argv] = spec.argv.map((argument) => outside(spec, argument));
      const child = spawn(command, argv, { env: { ...spec.env }, stdio: ["ignore", "ignore", "pipe"] });
      let stderr = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr = (stderr + text).slice(-STDERR_KEPT);
      });
      const exited = new Promise<ContainerExit>((resolve) => {
        child.once("close", (code, signal) => resolve({ code, signal, stderr, reachedMemoryBound: null }));
        child.once("error", (error) =>
          resolve({ code: 1, signal: null, stderr: String(error), reachedMemoryBound: null }),
        );
      });
      const container: Container = {
        name: spec.name,
        pid: child.pid ?? 0,
        exited,
        kill: () => {
          child.kill("SIGKILL");
        },
        createLeaf: () => Promise.resolve(),
        killLeaf: () => Promise.resolve(),
        removeLeaf: () => Promise.resolve(),
        close: async () => {
          child.kill("SIGKILL");
          await exited;
        },
      };
      launched.push(container);
      return container;
    },
    async openControl() {
      const directory = await mkdtemp(join(tmpdir(), "isolate-"));
      directories.push(directory);
      const listener = createServer().listen(join(directory, "control.sock"));
      await once(listener, "listening");
      return { directory, listener };
    },
    async close() {
      await Promise.all(launched.map((container) => container.close()));
      await Promise.all(directories.map((directory) => rm(directory, { recursive: true, force: true })));
    },
  };
}
