/**
 * A hostile program as data, and the judge of what came of it. Programs print `contained` where what they
 * tried was refused, and `BREACH:` with what it was where it was not; that word must never come back.
 */
import type { Call, RuntimeId } from "../../src/contract/call.ts";
import type { Outcome } from "../../src/contract/outcome.ts";
import type { CollectedFile, Result } from "../../src/contract/result.ts";
import type { TierKind } from "./tier.ts";

/** Of a call that is one process and has no mounts, for `differs`. */
export const ONE_PROCESS = { process: "a call is one process there: it may make no other" };
export const NO_PLACES = { process: "/work, /tmp and /dev/shm are not there: a call has its directory" };
const MEMFD_REFUSED = "memfd_create is refused, since no look at a process finds its memory";
export const NO_MEMFD = { watched: MEMFD_REFUSED, one_user: MEMFD_REFUSED, process: MEMFD_REFUSED };
const KERNEL_MEMORY = "memory that the kernel has for a process is not seen by a look; rlimits bound it";
export const NO_KERNEL_MEMORY = { watched: KERNEL_MEMORY, one_user: KERNEL_MEMORY, process: KERNEL_MEMORY };
export const LOOKED_AT = {
  one_user: "the number of processes is looked at: a program can have more between two looks",
};
/** For `notHeld`. */
export const ONE_USER = {
  one_user: "the one user there is is root inside, without capabilities, and the slot's",
};
export const BETWEEN_LOOKS =
  "memory is looked at every 5 ms: a program can have more, and be over, between two looks";

export const MiB = 1 << 20;

/** Length in bytes of what is handed back, `content` for any length, or why nothing is. */
type FileExpectation = number | "content" | "not_found" | "not_a_regular_file" | "too_large" | "unreadable";

export interface HostileProgram {
  readonly name: string;
  /** What would go wrong, in one sentence. */
  readonly threat: string;
  readonly runtime: RuntimeId;
  readonly source: string;
  readonly limits?: NonNullable<Call["limits"]>;
  /** Of the compile stage. */
  readonly compileMs?: number;
  readonly stdin?: string;
  /** In place of `stdin`: that many bytes. */
  readonly stdinBytes?: number;
  readonly args?: string[];
  readonly env?: Record<string, string>;
  readonly givenFiles?: Record<string, string>;
  readonly collect?: string[];
  readonly cell?: boolean;
  /** Set where a program holds numbers or code of one architecture. */
  readonly arch?: "x64";
  /** More than one only with a reason in `why`. */
  readonly outcomes: readonly Outcome[];
  /** Why more than one outcome is right. */
  readonly why?: string;
  /** All of stdout. */
  readonly prints?: string;
  /** Parts of stdout. */
  readonly says?: readonly (string | RegExp)[];
  /** All of stdout, when the outcome is `completed`. */
  readonly whenCompleted?: string | RegExp;
  readonly exitCode?: number;
  readonly signal?: string;
  /** Type of the exception that is reported; after a question mark: that or none. */
  readonly error?: string;
  /** Whether bytes of the output are left out. */
  readonly truncated?: boolean;
  readonly files?: Record<string, FileExpectation | readonly FileExpectation[]>;
  readonly wallMsMin?: number;
  /** Run that often on one slot: no two outputs are the same. */
  readonly distinct?: number;
  /** Run that often on one slot: all outputs are the same. */
  readonly identical?: number;
  /** Run that often on one slot. */
  readonly times?: number;
  /**
   * Why it comes out otherwise in tiers of that kind, where what it tries is refused at an earlier step: it runs there,
   * and is held only to no breach and a verdict of its own.
   */
  readonly differs?: Partial<Record<TierKind, string>>;
  /** Why tiers of that kind do not hold it: it is left out there, and named in docs/isolation.md. */
  readonly notHeld?: Partial<Record<TierKind, string>>;
  /** Name of the program that runs directly before this one on the same slot. */
  readonly after?: string;
  /** Name of the program that runs at the same time in another slot. */
  readonly beside?: string;
  /** Runs only beside the program that names it. */
  readonly paired?: boolean;
}

/** A source as it is written, without the indentation of this file. */
export function text({ raw }: TemplateStringsArray): string {
  const lines = (raw[0] ?? "").split("\n").slice(1, -1);
  const indent = Math.min(...lines.filter((line) => line !== "").map((line) => line.search(/\S|$/)));
  return lines.map((line) => line.slice(indent)).join("\n");
}

export function callOf(program: HostileProgram): Call {
  const { runtime, source, limits, compileMs, args, env, givenFiles, collect, cell } = program;
  const stdin = program.stdinBytes === undefined ? program.stdin : "x".repeat(program.stdinBytes);
  return {
    runtime,
    source,
    ...(limits === undefined ? {} : { limits }),
    ...(compileMs === undefined ? {} : { compile_ms: compileMs }),
    ...(stdin === undefined ? {} : { stdin }),
    ...(args === undefined ? {} : { args }),
    ...(env === undefined ? {} : { env }),
    ...(givenFiles === undefined ? {} : { files: givenFiles }),
    ...(collect === undefined ? {} : { collect }),
    ...(cell === true ? { mode: "cell" } : {}),
  };
}

function lengthOf({ content = "", encoding = "utf8" }: CollectedFile): number {
  return Buffer.byteLength(content, encoding);
}

function isAsExpected(file: CollectedFile | undefined, expected: FileExpectation): boolean {
  if (file === undefined) return false;
  if (file.content === undefined) return file.error === expected;
  return expected === "content" || lengthOf(file) === expected;
}

const excerpt = (value: string): string =>
  JSON.stringify(value.length > 300 ? `${value.slice(0, 200)}…${value.slice(-100)}` : value);

const matches = (stdout: string, expected: string | RegExp): boolean =>
  typeof expected === "string" ? stdout === expected : expected.test(stdout);

function judgeEnd(program: HostileProgram, result: Result): string[] {
  const problems: string[] = [];
  const claim = (holds: boolean, problem: string): void => void (holds || problems.push(problem));
  claim(
    program.outcomes.includes(result.outcome),
    `outcome ${result.outcome} (${result.detail ?? `exit code ${result.exit_code}, signal ${result.signal}`})`,
  );
  if (program.exitCode !== undefined && result.outcome !== "output_limit")
    claim(result.exit_code === program.exitCode, `exit code ${result.exit_code}`);
  if (program.signal !== undefined) claim(result.signal === program.signal, `signal ${result.signal}`);
  const type = result.error?.type;
  if (program.error?.startsWith("?") === true)
    claim(type === undefined || type === program.error.slice(1), `error ${type}`);
  else if (program.error !== undefined) claim(type === program.error, `error ${type}`);
  if (program.wallMsMin !== undefined)
    claim(result.usage.wall_ms >= program.wallMsMin, `wall time ${result.usage.wall_ms} ms`);
  for (const [path, expected] of Object.entries(program.files ?? {})) {
    const file = result.files[path];
    const shown = file?.error ?? (file === undefined ? "none" : `${lengthOf(file)} bytes`);
    const allowed = Array.isArray(expected) ? expected : [expected];
    claim(
      allowed.some((one) => isAsExpected(file, one as FileExpectation)),
      `file ${path}: ${shown}`,
    );
  }
  return problems;
}

function judgeOutput(program: HostileProgram, result: Result): string[] {
  const { stdout, stderr } = result;
  const problems: string[] = [];
  const claim = (holds: boolean, problem: string): void => void (holds || problems.push(problem));
  const handedBack = [stdout, result.value ?? "", JSON.stringify(result.files)];
  // Under Node and in tracebacks stderr shows lines of the source, which say the word.
  claim(!handedBack.some((part) => part.includes("BREACH")) && !/^BREACH/m.test(stderr), "a breach");
  if (program.prints !== undefined) claim(stdout === program.prints, "another stdout");
  for (const part of program.says ?? [])
    claim(typeof part === "string" ? stdout.includes(part) : part.test(stdout), `stdout without ${part}`);
  if (program.whenCompleted !== undefined && result.outcome === "completed")
    claim(matches(stdout, program.whenCompleted), "another stdout");
  if (program.truncated !== undefined)
    claim(result.truncated.stdout > 0 === program.truncated, `truncated ${result.truncated.stdout}`);
  if (problems.length > 0) problems.push(`stdout ${excerpt(stdout)}`, `stderr ${excerpt(stderr)}`);
  return problems;
}

/** What is not as the program's data asks; empty when all is well. */
export function judge(program: HostileProgram, result: Result, kind: TierKind = "container"): string[] {
  if (program.differs?.[kind] !== undefined) {
    const { name, threat, runtime, source } = program;
    const problems = judgeOutput({ name, threat, runtime, source, outcomes: [] }, result);
    return result.outcome === "sandbox_failed" ? [...problems, `sandbox_failed: ${result.detail}`] : problems;
  }
  return [...judgeEnd(program, result), ...judgeOutput(program, result)];
}
