/**
 * A histogram with a bounded relative error over many orders of magnitude, as HdrHistogram's: below
 * 2 * SUB_BUCKETS a value has a bucket of its own, above it each power of two is cut into SUB_BUCKETS buckets.
 *
 * Invariant: a recorded value is told as at most `1 / SUB_BUCKETS` (0.8 %) above itself, so a percentile never
 * flatters. Memory is that of the buckets, whatever the number of values.
 */

const SUB_BUCKET_BITS = 7;
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS;
/** Smallest difference that is told apart. Milliseconds. */
const UNIT_MS = 0.001;

/** Occupied buckets as [index, count] pairs, and the exact ends. */
export interface HistogramData {
  readonly buckets: readonly (readonly [number, number])[];
  readonly minMs: number;
  readonly maxMs: number;
  readonly sumMs: number;
}

function bucketOf(units: number): number {
  if (units < 2 * SUB_BUCKETS) return units;
  const shift = Math.floor(Math.log2(units)) - SUB_BUCKET_BITS;
  return shift * SUB_BUCKETS + Math.floor(units / 2 ** shift);
}

/** The largest value that falls into a bucket. */
function upperUnits(bucket: number): number {
  if (bucket < 2 * SUB_BUCKETS) return bucket;
  const shift = Math.floor(bucket / SUB_BUCKETS) - 1;
  const head = (bucket % SUB_BUCKETS) + SUB_BUCKETS;
  return (head + 1) * 2 ** shift - 1;
}

export class Histogram {
  #counts: number[] = [];
  #count = 0;
  #minMs = Infinity;
  #maxMs = 0;
  #sumMs = 0;

  static from(data: HistogramData): Histogram {
    const histogram = new Histogram();
    for (const [bucket, count] of data.buckets) histogram.#add(bucket, count);
    histogram.#minMs = histogram.#count === 0 ? Infinity : data.minMs;
    histogram.#maxMs = data.maxMs;
    histogram.#sumMs = data.sumMs;
    return histogram;
  }

  get count(): number {
    return this.#count;
  }

  get minMs(): number {
    return this.#count === 0 ? 0 : this.#minMs;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  get meanMs(): number {
    return this.#count === 0 ? 0 : this.#sumMs / this.#count;
  }

  /** Counts one value; a negative one, from a clock that was read twice out of order, counts as 0. */
  record(ms: number): void {
    const value = Math.max(0, ms);
    this.#add(bucketOf(Math.round(value / UNIT_MS)), 1);
    this.#minMs = Math.min(this.#minMs, value);
    this.#maxMs = Math.max(this.#maxMs, value);
    this.#sumMs += value;
  }

  merge(other: Histogram): void {
    for (const [bucket, count] of other.#counts.entries()) if (count > 0) this.#add(bucket, count);
    this.#minMs = Math.min(this.#minMs, other.#minMs);
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs);
    this.#sumMs += other.#sumMs;
  }

  /** The value at or below which `share` (0 to 1) of the values lie; 0 when there is none. Milliseconds. */
  quantile(share: number): number {
    if (this.#count === 0) return 0;
    let left = Math.max(1, Math.ceil(share * this.#count));
    for (const [bucket, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return Math.min(upperUnits(bucket) * UNIT_MS, this.#maxMs);
    }
    return this.#maxMs;
  }

  toJSON(): HistogramData {
    const buckets: [number, number][] = [];
    for (const [bucket, count] of this.#counts.entries()) if (count > 0) buckets.push([bucket, count]);
    return { buckets, minMs: this.minMs, maxMs: this.#maxMs, sumMs: this.#sumMs };
  }

  #add(bucket: number, count: number): void {
    // Filled in between, so that the array stays dense.
    while (this.#counts.length <= bucket) this.#counts.push(0);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    this.#count += count;
  }
}
