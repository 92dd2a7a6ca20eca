/**
 * When calls are meant to be sent, in milliseconds from the start of a load. An open-loop generator keeps to
 * these times whatever the service does, and latency counts from them: a service that stalls is charged for
 * every call that was due meanwhile.
 */

export type Random = () => number;

function checkRate(perSecond: number): void {
  if (!(perSecond > 0)) throw new RangeError(`a rate is above 0 calls/s, not ${perSecond}`);
}

/** One call every 1/rate seconds. */
export function* constantArrivals(perSecond: number, durationMs: number): Generator<number> {
  checkRate(perSecond);
  for (let index = 0; ; index += 1) {
    // Multiplied, not added up: an error of rounding would grow over a long load.
    const atMs = (index * 1000) / perSecond;
    if (atMs >= durationMs) return;
    yield atMs;
  }
}

/** Independent callers: gaps of an exponential distribution with the rate's mean. */
export function* poissonArrivals(perSecond: number, durationMs: number, random: Random): Generator<number> {
  checkRate(perSecond);
  let atMs = 0;
  for (;;) {
    atMs += (-Math.log(1 - random()) * 1000) / perSecond;
    if (atMs >= durationMs) return;
    yield atMs;
  }
}

/** `calls` at once, every `everyMs`. */
export function* burstArrivals(calls: number, everyMs: number, durationMs: number): Generator<number> {
  if (!(everyMs > 0)) throw new RangeError("bursts are more than 0 ms apart");
  for (let atMs = 0; atMs < durationMs; atMs += everyMs) {
    for (let call = 0; call < calls; call += 1) yield atMs;
  }
}
