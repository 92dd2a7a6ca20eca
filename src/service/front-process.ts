/** One front as the core process has it: a process of its own, spoken with over a pair of sockets that nobody else has. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { Channel, type Answers } from "./channel.ts";
import type { CoreAsks, FrontAsks } from "./questions.ts";

/** The descriptor in the front at which the channel is. */
export const CHANNEL_DESCRIPTOR = 3;

const ENTRY = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "front.ts" : "front.js", import.meta.url),
);

export interface FrontProcess {
  readonly pid: number;
  readonly channel: Channel<CoreAsks, FrontAsks>;
  /** Resolves with what is known of its end. */
  readonly ended: Promise<string>;
  kill(): void;
}

/** What the service was configured with comes over the channel: keys are nobody's to read in an environment. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("ROLLCALL_")));
}

/** @throws Error when this machine has no process or descriptor left for one. */
export function startFront(
  answers: Answers<FrontAsks>,
  onBug: (error: unknown, question: string) => void,
): FrontProcess {
  const child: ChildProcess = spawn(process.execPath, [...process.execArgv, ENTRY], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
    env: environment(),
  });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  // Where there is no descriptor left Node makes no streams, whatever its types say.
  const stream = (child.stdio as ChildProcess["stdio"] | undefined)?.[CHANNEL_DESCRIPTOR];
  if (stream === undefined || stream === null) throw new Error("no front process could be started");
  const channel = new Channel<CoreAsks, FrontAsks>({
    stream: stream as Duplex,
    answers,
    onBug,
    // One that cannot be spoken with is of no use.
    onEnd: () => child.kill("SIGKILL"),
  });
  return { pid: child.pid ?? 0, channel, ended, kill: () => void child.kill("SIGKILL") };
}
