/** code-judge: `POST /run/long-batch`, as rStar2's client sends it. */
import { plainAnswer, runsPython, type PlainAnswer, type Target } from "../targets/target.ts";
import { batchTarget, type PeerOptions } from "./driver.ts";

interface SubmissionResult {
  readonly run_success: boolean;
  readonly stdout: string | null;
  readonly stderr: string | null;
  readonly reason: string;
}

/** Where it cuts both streams, by its default configuration. */
const CHARACTERS_MAX = 1000;

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
  const { charactersMax = CHARACTERS_MAX } = options;
  return batchTarget(options, {
    name: "code-judge",
    runs: runsPython,
    async ask(programs, post) {
      const submissions = programs.map(({ source, stdin }) => ({
        type: "python",
        solution: source,
        input: stdin === "" ? null : stdin,
      }));
      const { results } = (await post("/run/long-batch", { type: "batch", submissions })) as {
        results: SubmissionResult[];
      };
      return programs
        .slice(0, results.length)
        .map((program, index) =>
          plainAnswer(program, readAnswer(results[index] as SubmissionResult), charactersMax),
        );
    },
  });
}
