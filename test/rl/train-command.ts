/** `rollcall train` as a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The command's entry. */
export const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** Both of its streams. */
  readonly output: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Once the output has a line like this the process is sent `signal`, SIGTERM by default. */
  readonly until?: RegExp;
  readonly signal?: NodeJS.Signals;
}

/** Runs it in `directory`, to its end. */
export async function runTrainCommand(
  directory: string,
  words: readonly string[],
  { env = {}, until, signal = "SIGTERM" }: CommandOptions = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, "train", ...words], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  process.once("exit", () => child.kill("SIGKILL"));
  let output = "";
  let isStopped = false;
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString("utf8");
      if (until === undefined || isStopped || !until.test(output)) return;
      isStopped = true;
      child.kill(signal);
    });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}
