/** The real service as a process of its own, as `npm start` runs it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const START_MS_MAX = 60_000;

export interface Service {
  readonly url: string;
  readonly process: ChildProcess;
  /** Lines that it logged so far. */
  readonly lines: readonly string[];
  /** Sends SIGTERM and resolves with the exit code. */
  stop(): Promise<number | null>;
}

export async function startService(
  flags: readonly string[] = [],
  env: Record<string, string> = {},
  uid?: number,
): Promise<Service> {
  const child = spawn(process.execPath, [MAIN, "serve", "--port", "0", ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] ?? "", ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  // A test that fails before it stops its service leaves none behind.
  process.once("exit", () => child.kill("SIGKILL"));
  const lines: string[] = [];
  const exited = once(child, "exit") as Promise<[number | null]>;
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the service did not start: ${lines.join("\n")}`)),
      START_MS_MAX,
    );
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        const address = /"address":"([^"]+)"/.exec(line)?.[1];
        if (address !== undefined) {
          clearTimeout(timer);
          resolve(address);
        }
      });
    }
    void exited.then(([code]) => reject(new Error(`the service ended with ${code}: ${lines.join("\n")}`)));
  });
  return {
    url,
    process: child,
    lines,
    stop: async () => {
      child.kill("SIGTERM");
      const [code] = await exited;
      return code;
    },
  };
}
