/** The floor: a process for each call, `python3 file.py`, with no service, no isolation and no queue. */
import { spawn } from "node:child_process";
import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { ENDLESS_WALL_MS, type Planned } from "../load/mixes.ts";
import { plainAnswer, runsPython, type PlainAnswer, type Target } from "../targets/target.ts";

export interface CommandOptions {
  /** Interpreter and its arguments; the file's name is added. */
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Ends a program that others run into their time limit with. Milliseconds. */
  readonly wallMs?: number;
}

async function runOne(
  { program }: Planned,
  directory: string,
  options: CommandOptions,
): Promise<PlainAnswer> {
  const file = path.join(directory, "main.py");
  await fs.writeFile(file, program.source);
  const [name, ...args] = options.command;
  const child = spawn(name, [...args, file], {
    cwd: directory,
    env: { PATH: process.env["PATH"] ?? "", ...options.env },
    // A group of its own: what the program started ends with it.
    detached: true,
  });
  const parts: Record<"stdout" | "stderr", Buffer[]> = { stdout: [], stderr: [] };
  child.stdout.on("data", (chunk: Buffer) => parts.stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => parts.stderr.push(chunk));
  // A program that does not read its input closes the pipe.
  child.stdin.on("error", () => undefined);
  child.stdin.end(program.stdin);
  let isOver = false;
  const wallMs = program.expect.outcome === "wall_limit" ? (options.wallMs ?? ENDLESS_WALL_MS) : 60_000;
  const timer = setTimeout(() => {
    isOver = true;
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  }, wallMs);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  clearTimeout(timer);
  return {
    end: isOver ? "wall_limit" : code === 0 ? "completed" : "failed",
    stdout: Buffer.concat(parts.stdout).toString("utf8"),
    stderr: Buffer.concat(parts.stderr).toString("utf8"),
  };
}

export function createCommandTarget(options: CommandOptions): Target {
  return {
    name: `${path.basename(options.command[0])} file.py`,
    batchMax: 1,
    // Its children are children of the load itself, whose own CPU time is in these figures too.
    pid: process.pid,
    metricsUrl: null,
    runs: runsPython,
    async send(calls, onAnswer) {
      const runs = calls.map(async (one, index) => {
        const directory = await fs.mkdtemp(path.join(os.tmpdir(), "rollcall-bench-"));
        try {
          onAnswer(index, plainAnswer(one.program, await runOne(one, directory, options)));
        } finally {
          await fs.rm(directory, { recursive: true, force: true });
        }
      });
      await Promise.all(runs);
    },
    close: () => Promise.resolve(),
  };
}
