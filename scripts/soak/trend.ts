/**
 * Whether a series of samples grows. Judged on the second half: caches, heaps and code that fill up once rise early
 * and then stop, a leak goes on. It grows when its slope stands out from its own noise and the rise over the
 * judged part is more than a tolerance.
 */

export interface Point {
  readonly calls: number;
  readonly value: number;
}

export interface Trend {
  readonly first: number;
  readonly last: number;
  readonly most: number;
  /** Least squares over the second half, per 1,000 calls. */
  readonly slope: number;
  /** Standard error of the slope, per 1,000 calls. */
  readonly slopeError: number;
  readonly grows: boolean;
}

/** Standard errors that a slope must be away from none. Samples in a row are alike, so more than the usual two. */
const ERRORS_MIN = 4;
/** With fewer points there is no noise to hold a slope against. */
const POINTS_MIN = 6;

function fit(points: readonly Point[]): { slope: number; slopeError: number } {
  const n = points.length;
  const meanX = points.reduce((sum, { calls }) => sum + calls, 0) / n;
  const meanY = points.reduce((sum, { value }) => sum + value, 0) / n;
  const squares = points.reduce((sum, { calls }) => sum + (calls - meanX) ** 2, 0);
  if (n < 3 || squares === 0) return { slope: 0, slopeError: Infinity };
  const slope =
    points.reduce((sum, { calls, value }) => sum + (calls - meanX) * (value - meanY), 0) / squares;
  const rest = points.reduce(
    (sum, { calls, value }) => sum + (value - meanY - slope * (calls - meanX)) ** 2,
    0,
  );
  return { slope, slopeError: Math.sqrt(rest / (n - 2) / squares) };
}

/** @param tolerance rise over the judged part that is no growth, in the unit of the values */
export function judgeTrend(points: readonly Point[], tolerance: number): Trend {
  const judged = points.slice(Math.floor(points.length / 2));
  const { slope, slopeError } = fit(judged);
  const span = (judged.at(-1)?.calls ?? 0) - (judged[0]?.calls ?? 0);
  const grows = judged.length >= POINTS_MIN && slope * span > tolerance && slope > ERRORS_MIN * slopeError;
  return {
    first: points[0]?.value ?? 0,
    last: points.at(-1)?.value ?? 0,
    most: Math.max(...points.map(({ value }) => value)),
    slope: slope * 1000,
    slopeError: slopeError * 1000,
    grows,
  };
}
