/** Where and on what a result was measured. A number without these says nothing. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { PACKAGE_ROOT } from "./place.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly python: string;
  /** Load average over one minute at the start: what else the machine was busy with. */
  readonly loadBefore: number;
}

export interface Origin {
  readonly commit: string;
  /** The tree held changes that are in no commit. */
  readonly changed: boolean;
}

/** The first line that a command prints, or "unknown". */
function firstLine(command: string, args: readonly string[], cwd?: string): string {
  try {
    const text = execFileSync(command, args, { encoding: "utf8", cwd, stdio: ["ignore", "pipe", "ignore"] });
    return text.trim().split("\n")[0] ?? "";
  } catch {
    return "unknown";
  }
}

export function describeMachine(interpreter: string): Machine {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    python: firstLine(interpreter, ["--version"]).replace("Python ", ""),
    loadBefore: os.loadavg()[0] ?? 0,
  };
}

export function describeOrigin(): Origin {
  if (!fs.existsSync(path.join(PACKAGE_ROOT, ".git"))) return { commit: "unknown", changed: false };
  const commit = firstLine("git", ["rev-parse", "HEAD"], PACKAGE_ROOT);
  return { commit, changed: firstLine("git", ["status", "--porcelain"], PACKAGE_ROOT) !== "" };
}
