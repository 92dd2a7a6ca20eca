/** SandboxFusion: `POST /run_code`, one program a request. */
import type { Program } from "../../workload/mix.ts";
import { ENDLESS_WALL_MS } from "../load/mixes.ts";
import { plainAnswer, type PlainAnswer, type Target } from "../targets/target.ts";
import { createPoster, type PeerOptions } from "./post.ts";

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
const SECONDS_DEFAULT = 10;

function readAnswer({ status, run_result: run }: RunCodeResponse): PlainAnswer {
  const stdout = run?.stdout ?? "";
  const stderr = run?.stderr ?? "";
  if (status === "SandboxError" || run === null) return { end: "other", stdout, stderr };
  if (run.status === "TimeLimitExceeded") return { end: "wall_limit", stdout, stderr };
  return { end: run.return_code === 0 ? "completed" : "failed", stdout, stderr };
}

export function createSandboxFusionTarget(options: PeerOptions): Target {
  const poster = createPoster(options);
  return {
    name: "SandboxFusion",
    batchMax: 1,
    pid: options.pid,
    metricsUrl: null,
    runs: ({ runtime }) => LANGUAGE[runtime] !== undefined,
    async send(calls, onAnswer) {
      const requests = calls.map(async ({ program }, index) => {
        const isEndless = program.expect.outcome === "wall_limit";
        const answer = await poster.post("/run_code", {
          code: program.source,
          language: LANGUAGE[program.runtime],
          stdin: program.stdin,
          run_timeout: isEndless ? ENDLESS_WALL_MS / 1000 : SECONDS_DEFAULT,
        });
        onAnswer(index, plainAnswer(program, readAnswer(answer as RunCodeResponse)));
      });
      await Promise.all(requests);
    },
    close: () => poster.close(),
  };
}
