/**
 * The example workload: programs as models write them, what each must print, and how often each kind is
 * called. Read by the demo, the tests and the benches.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { Call, RuntimeId } from "../src/contract/call.ts";
import type { Outcome } from "../src/contract/outcome.ts";
import type { Result } from "../src/contract/result.ts";

interface Expectation {
  readonly outcome: Outcome;
  readonly exit_code?: number;
  readonly stdout?: string;
  /** For output too long to write down. */
  readonly stdout_bytes?: number;
  readonly stdout_sha256?: string;
  readonly stderr_last_line?: string;
  readonly stderr_contains?: string;
  readonly stderr_nonempty?: boolean;
  /** `value` of the Result when the program is sent in `cell` mode. */
  readonly cell_value?: string;
}

export interface Program {
  readonly runtime: RuntimeId;
  /** Unique name; what it starts with tells its group in mix.json. */
  readonly kind: string;
  readonly source: string;
  readonly stdin: string;
  readonly expect: Expectation;
  /** CPU time of its own computing, modules already imported (see measure.py); null when it never ends. Milliseconds. */
  readonly warm_cpu_ms: number | null;
}

interface Mix {
  readonly mature_policy: Readonly<Record<string, number>>;
  readonly early_policy: Readonly<Record<string, number>>;
  readonly groups: Readonly<Record<string, readonly string[]>>;
}

export type PolicyName = "mature_policy" | "early_policy";

const read = (name: string) => fs.readFileSync(path.join(import.meta.dirname, name), "utf8");

export function loadPrograms(): Program[] {
  return read("programs.jsonl")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Program);
}

function loadMix(): Mix {
  return JSON.parse(read("mix.json")) as Mix;
}

/** A deterministic source of numbers in [0, 1) (mulberry32): the same seed draws the same calls. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

function isOfKind(program: Program, pattern: string): boolean {
  return pattern.endsWith("*") ? program.kind.startsWith(pattern.slice(0, -1)) : program.kind === pattern;
}

/** The programs among `programs` that belong to a group of mix.json. */
export function programsOfGroup(programs: readonly Program[], group: string): Program[] {
  const patterns = loadMix().groups[group] ?? [];
  return programs.filter((program) => patterns.some((pattern) => isOfKind(program, pattern)));
}

/**
 * Draws programs for ever: first a group by its weight, then one of its programs evenly. A group of which
 * `programs` holds none is left out and the other weights keep their proportions.
 */
export function createDraw(
  programs: readonly Program[],
  policy: PolicyName,
  random: () => number,
): () => Program {
  const groups = Object.entries(loadMix()[policy])
    .map(([name, weight]) => ({ weight, members: programsOfGroup(programs, name) }))
    .filter((group) => group.weight > 0 && group.members.length > 0);
  const total = groups.reduce((sum, group) => sum + group.weight, 0);
  const last = groups.at(-1);
  if (last === undefined) throw new Error("none of the programs belongs to a group of this mix");
  return () => {
    let rest = random() * total;
    const group = groups.find((one) => (rest -= one.weight) < 0) ?? last;
    const program = group.members[Math.floor(random() * group.members.length)];
    if (program === undefined) throw new Error("drew outside of a group");
    return program;
  };
}

/** The call that sends a program. */
export function callOf(program: Program, more: Partial<Call> = {}): Call {
  return {
    runtime: program.runtime,
    source: program.source,
    ...(program.stdin === "" ? {} : { stdin: program.stdin }),
    ...more,
  };
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}...` : text);
}

function checkStdout(expect: Expectation, stdout: string): string | null {
  if (expect.stdout !== undefined && stdout !== expect.stdout) {
    return `stdout is ${quote(stdout)}, not ${quote(expect.stdout)}`;
  }
  if (expect.stdout_bytes !== undefined && Buffer.byteLength(stdout) !== expect.stdout_bytes) {
    return `stdout has ${Buffer.byteLength(stdout)} bytes, not ${expect.stdout_bytes}`;
  }
  if (expect.stdout_sha256 !== undefined) {
    const sum = createHash("sha256").update(stdout).digest("hex");
    if (sum !== expect.stdout_sha256) return "stdout has the right length and the wrong content";
  }
  return null;
}

function checkStderr(expect: Expectation, stderr: string): string | null {
  if (expect.stderr_last_line !== undefined && lastLine(stderr) !== expect.stderr_last_line) {
    return `stderr ends with ${quote(lastLine(stderr))}, not ${quote(expect.stderr_last_line)}`;
  }
  if (expect.stderr_contains !== undefined && !stderr.includes(expect.stderr_contains)) {
    return `stderr is ${quote(stderr)} and should contain ${quote(expect.stderr_contains)}`;
  }
  if (expect.stderr_nonempty === true && stderr === "") return "stderr is empty";
  return null;
}

/** What is wrong with a Result, in one sentence, or null when it is what the program must give. */
export function checkResult(program: Program, result: Result): string | null {
  const { expect } = program;
  if (result.outcome !== expect.outcome) {
    return `outcome is ${result.outcome}, not ${expect.outcome}${result.detail === null ? "" : ` (${result.detail})`}`;
  }
  if (expect.exit_code !== undefined && result.exit_code !== expect.exit_code) {
    return `exit code is ${result.exit_code}, not ${expect.exit_code}`;
  }
  if (expect.cell_value !== undefined && result.value !== null && result.value !== expect.cell_value) {
    return `value is ${quote(result.value)}, not ${quote(expect.cell_value)}`;
  }
  return checkStdout(expect, result.stdout) ?? checkStderr(expect, result.stderr);
}
