/** One HTML file with a plot for each series, with nothing to load from elsewhere. */
import { type Sample, SERIES, type SeriesName } from "./sample.ts";
import type { Trend } from "./trend.ts";

const WIDTH = 520;
const HEIGHT = 130;
const PAD = { left: 56, right: 12, top: 10, bottom: 24 };

const number = (value: number): string => value.toLocaleString("en-US", { maximumFractionDigits: 1 });
const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** The axis starts at zero: noise must not look like growth. */
function plotOf(samples: readonly Sample[], name: SeriesName): string {
  const callsMax = samples.at(-1)?.calls ?? 1;
  const callsMin = samples[0]?.calls ?? 0;
  const valueMax = Math.max(1, ...samples.map((sample) => sample[name])) * 1.1;
  const x = (calls: number) =>
    PAD.left + ((calls - callsMin) / Math.max(1, callsMax - callsMin)) * (WIDTH - PAD.left - PAD.right);
  const y = (value: number) => HEIGHT - PAD.bottom - (value / valueMax) * (HEIGHT - PAD.top - PAD.bottom);
  const line = samples
    .map((sample) => `${x(sample.calls).toFixed(1)},${y(sample[name]).toFixed(1)}`)
    .join(" ");
  const marks = [0, valueMax / 1.1]
    .map(
      (value) =>
        `<line x1="${PAD.left}" x2="${WIDTH - PAD.right}" y1="${y(value)}" y2="${y(value)}" class="grid"/><text x="${PAD.left - 6}" y="${y(value) + 4}" text-anchor="end">${number(value)}</text>`,
    )
    .join("");
  const ends = [callsMin, callsMax]
    .map(
      (calls, index) =>
        `<text x="${x(calls)}" y="${HEIGHT - 6}" text-anchor="${index === 0 ? "start" : "end"}">${number(calls)} calls</text>`,
    )
    .join("");
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">${marks}${ends}<polyline points="${line}"/></svg>`;
}

const STYLE =
  "body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1120px;padding:0 1rem;color:#1a1d21;background:#fff}" +
  "main{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:1.2rem 2rem}" +
  "h1{font-size:1.3rem}h2{font-size:.95rem;margin:0;font-weight:600}h2 span{font-weight:400;color:#5b636d}h2 .grows{color:#b3261e;font-weight:600}" +
  "svg{width:100%;height:auto}polyline{fill:none;stroke:#2458c5;stroke-width:1.6}.grid{stroke:#d9dde2}text{font-size:11px;fill:#5b636d}";

export function soakPage(
  title: string,
  lines: readonly string[],
  samples: readonly Sample[],
  trends: Readonly<Record<SeriesName, Trend>>,
): string {
  const figures = SERIES.map(({ name, label, unit }) => {
    const { first, last, slope, grows } = trends[name];
    const verdict = grows ? '<span class="grows">grows</span>' : "<span>flat</span>";
    const text = `${number(first)} → ${number(last)} ${unit}, ${slope.toFixed(3)} per 1,000 calls,`;
    return `<section><h2>${label} <span>${text}</span> ${verdict}</h2>${plotOf(samples, name)}</section>`;
  }).join("\n");
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escape(title)}</title><style>${STYLE}</style>
<h1>${escape(title)}</h1>${lines.map((line) => `<p>${escape(line)}</p>`).join("")}
<main>${figures}</main></html>\n`;
}
