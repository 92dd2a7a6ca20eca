/** Live progress of a load: one line redrawn on a terminal, a plain line every few seconds elsewhere. */
import type { Recorder } from "../load/recorder.ts";
import { ink, ms, whole } from "./ink.ts";

const TERMINAL_EVERY_MS = 100;
const PLAIN_EVERY_MS = 5000;

export interface ProgressOutput {
  readonly isTerminal: boolean;
  readonly write: (text: string) => void;
}

export const STDERR: ProgressOutput = {
  isTerminal: process.stderr.isTTY,
  write: (text) => void process.stderr.write(text),
};

export const SILENT: ProgressOutput = { isTerminal: false, write: () => undefined };

function outcomesOf(recorder: Recorder): string {
  const words = [...recorder.outcomes].map(([outcome, count]) => `${outcome} ${whole(count)}`);
  if (recorder.wrong > 0) words.push(ink.red(`wrong ${whole(recorder.wrong)}`));
  if (recorder.refusedCalls > 0) words.push(ink.red(`refused ${whole(recorder.refusedCalls)}`));
  return words.join("  ");
}

/** What a load has done so far, in one line. */
export function progressLine(recorder: Recorder, perSecond: number): string {
  const { latency } = recorder;
  const quantiles = `p50 ${ms(latency.quantile(0.5))}  p99 ${ms(latency.quantile(0.99))}`;
  const counts = `${whole(recorder.answered)}/${whole(recorder.planned)} calls  ${whole(perSecond)}/s`;
  return `${counts}  in flight ${whole(recorder.inFlight)}  ${quantiles}  ${outcomesOf(recorder)}`;
}

/** Starts drawing; the returned function ends the drawing and leaves one line with the whole. */
export function drawProgress(name: string, recorder: Recorder, output: ProgressOutput): () => void {
  const startedAt = performance.now();
  let previous = { at: startedAt, answered: 0 };
  let rate = 0;
  const line = (): string => {
    const at = performance.now();
    const seconds = (at - previous.at) / 1000;
    const now = seconds <= 0 ? rate : (recorder.answered - previous.answered) / seconds;
    // Smoothed over about a second, so that the number can be read.
    rate = rate === 0 ? now : rate + (now - rate) * Math.min(1, seconds);
    previous = { at, answered: recorder.answered };
    return `  ${name}  ${progressLine(recorder, rate)}`;
  };
  const draw = (): void => output.write(output.isTerminal ? `\r\x1b[2K${line()}` : `${line()}\n`);
  // A line longer than the terminal would wrap and leave its first half behind.
  if (output.isTerminal) output.write("\x1b[?7l");
  const timer = setInterval(draw, output.isTerminal ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS);
  return () => {
    clearInterval(timer);
    const seconds = (performance.now() - startedAt) / 1000;
    const whole = `  ${name}  ${progressLine(recorder, recorder.answered / Math.max(seconds, 1e-9))}`;
    output.write(output.isTerminal ? `\r\x1b[2K${whole}\n\x1b[?7h` : `${whole}\n`);
  };
}
