/** The batch router of open-r1: `POST /execute_batch`; scripts are cells, they take no input, and all have one limit. */
import type { Program } from "../../workload/mix.ts";
import { ENDLESS_WALL_MS } from "../load/mixes.ts";
import { isFlush, plainAnswer, type PlainAnswer, type Target } from "../targets/target.ts";
import { batchTarget, type PeerOptions } from "./driver.ts";

interface ScriptResult {
  readonly execution: {
    readonly logs: { readonly stdout: readonly string[]; readonly stderr: readonly string[] };
    readonly error: object | null;
  } | null;
  readonly exception_str: string | null;
}

const LANGUAGE: Partial<Record<Program["runtime"], string>> = { python: "python", javascript: "javascript" };
const REQUEST_SECONDS = 3600;

function readAnswer({ execution, exception_str }: ScriptResult): PlainAnswer {
  if (execution === null) {
    const isOver = /wall_limit|timeout/i.test(exception_str ?? "");
    return { end: isOver ? "wall_limit" : "other", stdout: null, stderr: exception_str ?? "" };
  }
  const { stdout, stderr } = execution.logs;
  return {
    end: execution.error === null ? "completed" : "failed",
    stdout: stdout.join(""),
    stderr: stderr.join(""),
  };
}

export function createOpenR1Target(options: PeerOptions): Target {
  return batchTarget(options, {
    name: "open-r1's router",
    runs: (program) => LANGUAGE[program.runtime] !== undefined && program.stdin === "" && isFlush(program),
    async ask(programs, post) {
      const results = (await post("/execute_batch", {
        scripts: programs.map(({ source }) => source),
        languages: programs.map(({ runtime }) => LANGUAGE[runtime]),
        timeout: ENDLESS_WALL_MS / 1000,
        request_timeout: REQUEST_SECONDS,
      })) as ScriptResult[];
      return programs
        .slice(0, results.length)
        .map((program, index) => plainAnswer(program, readAnswer(results[index] as ScriptResult)));
    },
  });
}
