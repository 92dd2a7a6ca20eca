/** Live progress: one line redrawn on a terminal, a plain line every second elsewhere. */
import { ink, whole } from "../../bench/terminal/ink.ts";
import type { Tally } from "./tally.ts";

const TERMINAL_EVERY_MS = 100;
const PLAIN_EVERY_MS = 1000;
const BAR_WIDTH = 24;

function bar(share: number): string {
  const full = Math.round(share * BAR_WIDTH);
  return `${ink.cyan("█".repeat(full))}${ink.dim("░".repeat(BAR_WIDTH - full))}`;
}

function outcomes(tally: Tally): string {
  return [...tally.rows]
    .filter(([, row]) => row.got > 0)
    .map(([name, row]) => `${name} ${row.right === row.got ? whole(row.got) : ink.red(whole(row.got))}`)
    .join("  ");
}

/** Starts drawing; the returned function draws once more and stops. */
export function drawProgress(tally: Tally): () => void {
  const startedAt = performance.now();
  const isTerminal = process.stdout.isTTY;
  let previous = { at: startedAt, answered: 0 };
  let rate = 0;

  const measure = (): void => {
    const at = performance.now();
    const seconds = (at - previous.at) / 1000;
    if (seconds <= 0) return;
    const now = (tally.answered - previous.answered) / seconds;
    // Smoothed over about a second, so that the number can be read.
    rate = rate === 0 ? now : rate + (now - rate) * Math.min(1, seconds);
    previous = { at, answered: tally.answered };
  };

  const draw = (): void => {
    measure();
    const done = `${whole(tally.answered)}/${whole(tally.calls)}`;
    const counts = `${done} calls  ${whole(rate)}/s  in flight ${whole(tally.inFlight)}`;
    if (isTerminal)
      process.stdout.write(`\r\x1b[2K  ${bar(tally.answered / tally.calls)}  ${counts}  ${outcomes(tally)}`);
    else
      console.log(
        `  ${((performance.now() - startedAt) / 1000).toFixed(1)} s  ${counts}  ${outcomes(tally)}`,
      );
  };

  // A line longer than the terminal would wrap and leave its first half behind.
  if (isTerminal) process.stdout.write("\x1b[?7l\x1b[?25l");
  const timer = setInterval(draw, isTerminal ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS);
  return () => {
    clearInterval(timer);
    draw();
    if (isTerminal) process.stdout.write("\x1b[?7h\x1b[?25h\n");
  };
}
