/** SandboxFusion: `POST /run_code`, one program a request. */
import type { Program } from "../../workload/mix.ts";
import { plainAnswer, type PlainAnswer, type Target } from "../targets/target.ts";
import { singleTarget, wallMsOf, type PeerOptions } from "./driver.ts";

interface RunCodeResponse {
  readonly status: "Success" | "Failed" | "SandboxError";
  readonly run_result: {
    readonly status: "Finished" | "Error" | "TimeLimitExceeded";
    readonly return_code: number | null;
    readonly stdout: string | null;
    readonly stderr: string | null;
  } | null;
}

const LANGUAGE: Partial<Record<Program["runtime"], string>> = { python: "python", node: "nodejs" };

function readAnswer({ status, run_result: run }: RunCodeResponse): PlainAnswer {
  const stdout = run?.stdout ?? "";
  const stderr = run?.stderr ?? "";
  if (status === "SandboxError" || run === null) return { end: "other", stdout, stderr };
  if (run.status === "TimeLimitExceeded") return { end: "wall_limit", stdout, stderr };
  return { end: run.return_code === 0 ? "completed" : "failed", stdout, stderr };
}

export function createSandboxFusionTarget(options: PeerOptions): Target {
  return singleTarget(options, {
    name: "SandboxFusion",
    runs: ({ runtime }) => LANGUAGE[runtime] !== undefined,
    async ask(program, post) {
      const answer = await post("/run_code", {
        code: program.source,
        language: LANGUAGE[program.runtime],
        stdin: program.stdin,
        run_timeout: wallMsOf(program) / 1000,
      });
      return plainAnswer(program, readAnswer(answer as RunCodeResponse));
    },
  });
}
