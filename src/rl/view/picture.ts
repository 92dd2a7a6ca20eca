/** The main curves of runs as one SVG file, for where no page can be shown. */
import { PLOT_STYLE } from "../../lib/line-plot.ts";
import { PALETTE } from "../../lib/page-style.ts";
import { curvesOf, plotCurve, type Series } from "../command/curves.ts";

/** Of one plot and of the space around it. Pixels. */
const WIDTH = 440;
const HEIGHT = 220;
const GAP = 16;
const COLUMNS = 3;

/** @param attempts of the evaluation, which are in the name of its accuracy */
export function drawCurves(series: readonly Series[], attempts: number): string {
  const plots = curvesOf(attempts)
    .map((curve) => plotCurve(series, curve))
    .filter((plot) => plot !== "");
  const rows = Math.ceil(plots.length / COLUMNS);
  const width = GAP + COLUMNS * (WIDTH + GAP);
  const height = GAP + rows * (HEIGHT + GAP);
  const placed = plots.map((plot, at) => {
    const x = GAP + (at % COLUMNS) * (WIDTH + GAP);
    const y = GAP + Math.floor(at / COLUMNS) * (HEIGHT + GAP);
    return `<svg x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}">${plot}</svg>`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}"><style>${PALETTE}${PLOT_STYLE}</style>` +
    `<rect width="${width}" height="${height}" fill="var(--page)"/>${placed.join("")}</svg>\n`
  );
}
