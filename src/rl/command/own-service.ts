/** The service as a process of its own, for a run that was given none. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface OwnService {
  readonly url: string;
  stop(): Promise<void>;
}

const START_MS_MAX = 180_000;
const STOP_MS_MAX = 45_000;
const LINES_KEPT = 40;

/** Only Python runs: the other engines need not start. */
const FLAGS = [
  ...["javascript", "node", "bash", "cpp"].map((id) => `--runtimes.${id}=false`),
  "--drain.whenInputEnds=true",
];

function mainFile(): string {
  const name = import.meta.url.endsWith(".ts") ? "../../main.ts" : "../../main.js";
  return fileURLToPath(new URL(name, import.meta.url));
}

/**
 * Starts it on a free port of loopback and waits until it listens.
 * @throws Error with the end of its log when it does not come up
 */
export async function startOwnService(): Promise<OwnService> {
  const child = spawn(process.execPath, [mainFile(), "serve", "--http.port", "0", ...FLAGS], {
    // Nothing is ever written to its input; that it ends tells the service that this process is gone.
    stdio: ["pipe", "pipe", "pipe"],
    // A terminal's interrupt is for the loop, which stops the service when it no longer needs it.
    detached: true,
  });
  process.once("exit", () => child.kill("SIGKILL"));
  const lines: string[] = [];
  const exited = once(child, "exit");
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (what: string): void => reject(new Error(`the service ${what}:\n${lines.join("\n")}`));
    const timer = setTimeout(() => fail("told no address"), START_MS_MAX);
    let rest = "";
    const onData = (chunk: Buffer): void => {
      const parts = (rest + chunk.toString("utf8")).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
      lines.splice(0, lines.length - LINES_KEPT);
      const address = parts.map((line) => /"address":"([^"]+)"/.exec(line)?.[1]).find(Boolean);
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    };
    child.stdout.on("data", onData);
    child.stderr.on("data", onData);
    child.once("error", reject);
    child.once("exit", (code) => fail(`ended with ${code}`));
  });
  return {
    url,
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
      await exited;
      clearTimeout(timer);
    },
  };
}
