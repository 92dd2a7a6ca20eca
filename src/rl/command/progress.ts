/** A run as it goes, for a terminal: a line for each step. */
import type { Metrics } from "../ports.ts";
import type { Progress } from "../loop/world.ts";

const percent = (value: number | undefined): string => `${((value ?? 0) * 100).toFixed(0).padStart(3)} %`;

function policyLine(stage: string, step: number, metrics: Metrics): string {
  const kept = metrics["down_sampling/after_sampling_trace_num"] ?? 0;
  return [
    `${stage} ${String(step).padStart(4)}`,
    `reward ${(metrics["reward/all/mean"] ?? 0).toFixed(2)}`,
    `tool errors ${percent(metrics["tool/error_rate"])}, in right ones ${percent(metrics["roc/tool_error_ratio/positive"])}`,
    `length ${(metrics["response_length/mean"] ?? 0).toFixed(1).padStart(5)}`,
    `kept ${kept} of ${metrics["progress/total_rollouts"]}`,
    `${(metrics["tool/calls_per_s"] ?? 0).toFixed(0)} calls/s`,
    `${(metrics["time/step"] ?? 0).toFixed(1)} s`,
  ].join("  ");
}

function evaluationLine(step: number, metrics: Metrics): string {
  const rates = Object.entries(metrics)
    .filter(([name]) => /^eval\/all\/(avg|pass)@/.test(name))
    .map(([name, value]) => `${name.slice("eval/all/".length)} ${value.toFixed(3)}`);
  const errors = percent(metrics["eval/roc/tool_error_ratio/positive"]);
  return `   held out after step ${step}: ${rates.join("  ")}  tool errors in right ones ${errors}`;
}

/** @param write takes one line at a time, without its end */
export function createProgress(write: (line: string) => void): Progress {
  const startedAt = performance.now();
  const tell = (line: string): void =>
    write(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  return {
    note: tell,
    step(phase, stage, step, metrics) {
      if (phase === "rl") tell(policyLine(stage, step, metrics));
      else if (phase === "eval") tell(evaluationLine(step, metrics));
      else if (step % 20 === 0)
        tell(
          `imitation ${String(step).padStart(4)}  loss ${(metrics["train/loss"] ?? Number.NaN).toFixed(3)}`,
        );
    },
  };
}
