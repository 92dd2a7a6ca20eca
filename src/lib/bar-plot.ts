/** Horizontal bars as inline SVG, in the colours of the page's style sheet. */
import { escapeText, tickText } from "./line-plot.ts";

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** Drawn as a thin line across the bar's end: the least and the most of what `value` is the mean of. */
  readonly spread?: readonly [low: number, high: number];
  /** Set off from the others. */
  readonly isOurs?: boolean;
}

const WIDTH = 440;
const NAME_WIDTH = 190;
const ROW = 24;
const TOP = 26;
const VALUE_WIDTH = 46;

export function drawBars(title: string, unit: string, bars: readonly Bar[]): string {
  const most = Math.max(...bars.map(({ value, spread }) => Math.max(value, spread?.[1] ?? 0)), 1e-9);
  const scale = (WIDTH - NAME_WIDTH - VALUE_WIDTH) / most;
  const height = TOP + bars.length * ROW + 4;
  const rows = bars.map(({ name, value, spread, isOurs }, at) => {
    const y = TOP + at * ROW;
    const end = NAME_WIDTH + value * scale;
    const whisker =
      spread === undefined
        ? ""
        : `<line class="whisker" x1="${(NAME_WIDTH + spread[0] * scale).toFixed(1)}" x2="${(NAME_WIDTH + spread[1] * scale).toFixed(1)}" y1="${y + 9}" y2="${y + 9}"/>`;
    const valueAt = NAME_WIDTH + Math.max(value, spread?.[1] ?? 0) * scale + 6;
    return (
      `<text class="tick" x="${NAME_WIDTH - 8}" y="${y + 13}" text-anchor="end">${escapeText(name)}</text>` +
      `<rect class="dot ${isOurs === true ? "s0" : "s1"}" x="${NAME_WIDTH}" y="${y + 2}" width="${(end - NAME_WIDTH).toFixed(1)}" height="14" rx="2"/>` +
      `${whisker}<text class="tick" x="${valueAt.toFixed(1)}" y="${y + 13}">${tickText(value)}</text>`
    );
  });
  return (
    `<svg class="plot" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeText(title)}">` +
    `<text class="title" x="4" y="14">${escapeText(title)}<tspan class="unit" dx="6">${escapeText(unit)}</tspan></text>` +
    `${rows.join("")}</svg>`
  );
}
