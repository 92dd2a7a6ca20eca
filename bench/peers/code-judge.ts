/** code-judge: `POST /run/long-batch`, as rStar2's client sends it. */
import { plainAnswer, runsPython, type PlainAnswer, type Target } from "../targets/target.ts";
import { createPoster, type PeerOptions } from "./post.ts";

interface SubmissionResult {
  readonly run_success: boolean;
  readonly stdout: string | null;
  readonly stderr: string | null;
  readonly reason: string;
}

/** Where it cuts both streams, by its default configuration. */
const CHARACTERS_MAX = 1000;
const BATCH_MAX = 10_000;

function readAnswer({ run_success, stdout, stderr, reason }: SubmissionResult): PlainAnswer {
  const end =
    reason === "worker_timeout"
      ? "wall_limit"
      : reason !== ""
        ? "other"
        : run_success
          ? "completed"
          : "failed";
  return { end, stdout: stdout ?? "", stderr: stderr ?? "" };
}

export function createCodeJudgeTarget(options: PeerOptions): Target {
  const poster = createPoster(options);
  return {
    name: "code-judge",
    batchMax: BATCH_MAX,
    pid: options.pid,
    metricsUrl: null,
    runs: runsPython,
    async send(calls, onAnswer) {
      const submissions = calls.map(({ program }) => ({
        type: "python",
        solution: program.source,
        input: program.stdin === "" ? null : program.stdin,
      }));
      const { results } = (await poster.post("/run/long-batch", { type: "batch", submissions })) as {
        results: SubmissionResult[];
      };
      for (const [index, { program }] of calls.entries()) {
        const result = results[index];
        if (result === undefined)
          throw new Error(`${results.length} results for ${calls.length} submissions`);
        onAnswer(index, plainAnswer(program, readAnswer(result), CHARACTERS_MAX));
      }
    },
    close: () => poster.close(),
  };
}
