/** Line plots as inline SVG. Colours are classes of the page's style sheet, so that a plot follows its theme. */

export interface PlotLine {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
  /** Lowest and highest at each x, drawn as a shade behind the line. */
  readonly spread?: readonly (readonly [x: number, low: number, high: number])[];
}

export interface Plot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly lines: readonly PlotLine[];
  readonly xIsLogarithmic?: boolean;
  /** Texts for values on the x axis; the values in between have no tick. */
  readonly xTicks?: readonly (readonly [number, string])[];
}

const WIDTH = 440;
const HEIGHT = 220;
const MARGIN = { left: 52, right: 14, top: 34, bottom: 34 } as const;
const Y_TICKS = 4;
const X_TICKS = 5;
/** A plot with more points at different places has nothing to point at. */
const POINTED_MAX = 240;
/** A line with more points has none that is drawn. */
const DOTS_MAX = 12;

export function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}

/** A number for an axis: few characters, no exponent. */
export function tickText(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(3)));
}

/** Round steps of 1, 2 or 5 times a power of ten that cover 0 to `max` in about `count` parts. */
export function ticks(max: number, count: number): number[] {
  if (!(max > 0)) return [0, 1];
  const raw = max / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= raw) ?? raw;
  const all: number[] = [];
  for (let index = 0; index === 0 || (all.at(-1) ?? 0) < max; index += 1) all.push(index * step);
  return all;
}

interface Scale {
  readonly at: (value: number) => number;
  readonly ticks: readonly (readonly [number, string])[];
}

function xScale({ lines, xIsLogarithmic, xTicks }: Plot): Scale {
  const values = lines.flatMap(({ points }) => points.map(([x]) => x));
  const width = WIDTH - MARGIN.left - MARGIN.right;
  if (xIsLogarithmic === true) {
    const low = Math.log10(Math.max(Math.min(...values), 1e-9));
    const high = Math.max(Math.log10(Math.max(...values)), low + 1e-9);
    const distinct = [...new Set(values)].map((value) => [value, tickText(value)] as const);
    return {
      at: (value) => MARGIN.left + ((Math.log10(value) - low) / (high - low)) * width,
      ticks: xTicks ?? distinct,
    };
  }
  const even = ticks(Math.max(...values), X_TICKS);
  const high =
    xTicks === undefined ? (even.at(-1) ?? 1) : Math.max(...values, ...xTicks.map(([value]) => value));
  return {
    at: (value) => MARGIN.left + (value / high) * width,
    ticks: xTicks ?? even.map((value) => [value, tickText(value)] as const),
  };
}

function yScale({ lines }: Plot): Scale {
  const values = lines.flatMap(({ points, spread }) => [
    ...points.map(([, value]) => value),
    ...(spread ?? []).map(([, , high]) => high),
  ]);
  const even = ticks(Math.max(...values), Y_TICKS);
  const high = even.at(-1) ?? 1;
  const height = HEIGHT - MARGIN.top - MARGIN.bottom;
  return {
    at: (value) => HEIGHT - MARGIN.bottom - (value / high) * height,
    ticks: even.map((value) => [value, tickText(value)] as const),
  };
}

const f = (value: number): string => String(Math.round(value * 10) / 10);

function axes(plot: Plot, x: Scale, y: Scale): string {
  const bottom = HEIGHT - MARGIN.bottom;
  const horizontal = y.ticks.map(
    ([value, text]) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${f(y.at(value))}" y2="${f(y.at(value))}"/>` +
      `<text class="tick" x="${MARGIN.left - 6}" y="${f(y.at(value) + 3.5)}" text-anchor="end">${text}</text>`,
  );
  const vertical = x.ticks.map(
    ([value, text]) =>
      `<text class="tick" x="${f(x.at(value))}" y="${bottom + 14}" text-anchor="middle">${escapeText(text)}</text>`,
  );
  return (
    `<text class="title" x="${MARGIN.left}" y="14">${escapeText(plot.title)}` +
    `<tspan class="unit" dx="6">${escapeText(plot.yLabel)}</tspan></text>` +
    `${horizontal.join("")}${vertical.join("")}` +
    `<text class="tick" x="${WIDTH - MARGIN.right}" y="${HEIGHT - 4}" text-anchor="end">${escapeText(plot.xLabel)}</text>`
  );
}

/** A strip for each place on the x axis that tells the values there when it is pointed at. */
function strips({ lines, xLabel, xTicks }: Plot, x: Scale): string {
  const places = [...new Set(lines.flatMap(({ points }) => points.map(([px]) => px)))].toSorted(
    (one, two) => one - two,
  );
  if (places.length > POINTED_MAX) return "";
  const values = lines.map(({ name, points }) => ({ name, at: new Map(points) }));
  const named = new Map(xTicks ?? []);
  const edge = (place: number | undefined, other: number, end: number): number =>
    place === undefined ? end : (x.at(place) + x.at(other)) / 2;
  return places
    .map((place, index) => {
      const left = edge(places[index - 1], place, MARGIN.left);
      const right = edge(places[index + 1], place, WIDTH - MARGIN.right);
      const told = values.flatMap(({ name, at }) => {
        const value = at.get(place);
        return value === undefined ? [] : [`${name}: ${tickText(value)}`];
      });
      const where = named.get(place) ?? `${tickText(place)} ${xLabel}`;
      return (
        `<rect class="strip" x="${f(left)}" y="${MARGIN.top}" width="${f(right - left)}" height="${HEIGHT - MARGIN.top - MARGIN.bottom}">` +
        `<title>${escapeText([where, ...told].join("\n"))}</title></rect>`
      );
    })
    .join("");
}

function drawLine({ points, spread }: PlotLine, index: number, x: Scale, y: Scale, isAlone: boolean): string {
  const places = points.map(([px, py]) => [x.at(px), y.at(py)] as const);
  const path = places.map(([px, py], at) => `${at === 0 ? "M" : "L"}${f(px)} ${f(py)}`).join("");
  const dots = places
    .filter(() => points.length <= DOTS_MAX)
    .map(([px, py]) => `<circle class="dot s${index}" cx="${f(px)}" cy="${f(py)}" r="3"/>`);
  const [firstX] = places[0] ?? [0];
  const [lastX] = places.at(-1) ?? [0];
  const base = HEIGHT - MARGIN.bottom;
  const around = [...(spread ?? [])].map(([px, low, high]) => [x.at(px), y.at(low), y.at(high)] as const);
  const outline = [
    ...around.map(([px, , high]) => `${f(px)} ${f(high)}`),
    ...around.toReversed().map(([px, low]) => `${f(px)} ${f(low)}`),
  ];
  const shade = outline.length === 0 ? "" : `<path class="area s${index}" d="M${outline.join("L")}Z"/>`;
  const area =
    isAlone && spread === undefined
      ? `<path class="area s${index}" d="${path}L${f(lastX)} ${base}L${f(firstX)} ${base}Z"/>`
      : "";
  return `${shade}${area}<path class="line s${index}" d="${path}"/>${dots.join("")}`;
}

function legend(lines: readonly PlotLine[]): string {
  if (lines.length < 2) return "";
  const parts = lines.map(
    ({ name }, index) =>
      `<tspan class="key s${index}" dx="${index === 0 ? 0 : 8}">■</tspan><tspan class="tick" dx="3">${escapeText(name)}</tspan>`,
  );
  return `<text x="${WIDTH - MARGIN.right}" y="28" text-anchor="end">${parts.join("")}</text>`;
}

/** A plot, or nothing when there is nothing to draw. */
export function drawPlot(asked: Plot): string {
  const lines = asked.lines
    .map((line) => ({
      ...line,
      points: line.points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)),
    }))
    .filter(({ points }) => points.length > 0);
  if (lines.length === 0) return "";
  const plot = { ...asked, lines };
  const x = xScale(plot);
  const y = yScale(plot);
  const drawn = lines.map((line, index) => drawLine(line, index, x, y, lines.length === 1));
  return (
    `<svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeText(plot.title)}">` +
    `${axes(plot, x, y)}${drawn.join("")}${legend(lines)}${strips(plot, x)}</svg>`
  );
}

/** How plots look; colours by the page's own variables `--text`, `--dim`, `--grid` and `--s0` to `--s3`. */
export const PLOT_STYLE = `
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 12px; margin-top: 12px; }
.plot { width: 100%; height: auto; display: block; }
.plot text { font: 11px system-ui, sans-serif; fill: var(--dim); }
.plot .title { font-size: 13px; font-weight: 600; fill: var(--text); }
.plot .unit { font-size: 11px; font-weight: 400; fill: var(--dim); }
.plot .grid { stroke: var(--grid); stroke-width: 1; }
.plot .strip { fill: var(--text); opacity: 0; }
.plot .strip:hover { opacity: 0.08; }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.area { opacity: 0.12; stroke: none; }
.line.s0 { stroke: var(--s0); } .area.s0, .dot.s0 { fill: var(--s0); } .plot .key.s0 { fill: var(--s0); }
.line.s1 { stroke: var(--s1); } .area.s1, .dot.s1 { fill: var(--s1); } .plot .key.s1 { fill: var(--s1); }
.line.s2 { stroke: var(--s2); } .area.s2, .dot.s2 { fill: var(--s2); } .plot .key.s2 { fill: var(--s2); }
.line.s3 { stroke: var(--s3); } .area.s3, .dot.s3 { fill: var(--s3); } .plot .key.s3 { fill: var(--s3); }
`;
