import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SandboxError } from "../../src/contract/errors.ts";
import type { AcceptedCall } from "../../src/core/accept.ts";
import { admit, type QueueBounds } from "../../src/core/admission.ts";
import type { Pool } from "../../src/core/pool.ts";
import { accepted } from "./builders.ts";

interface State {
  readonly length?: number;
  readonly bytes?: number;
  readonly available?: boolean;
  /** Expected wait per call ahead. */
  readonly msPerCall?: number;
}

function poolOf({ length = 0, bytes = 0, available = true, msPerCall = 0 }: State): Pool {
  const pool = {
    engineName: "container",
    queue: { length, bytes },
    available,
    expectedWaitMs: (ahead = length) => ahead * msPerCall,
  };
  return pool as unknown as Pool;
}

const BOUNDS: QueueBounds = { callsMax: 10, bytesMax: 100_000, batchCallsMax: 1000 };

const callsOf = (count: number, fields: Parameters<typeof accepted>[0] = {}) =>
  Array.from({ length: count }, () => accepted(fields));

function refusal(
  calls: readonly AcceptedCall[],
  pools: readonly Pool[],
  bounds = BOUNDS,
): SandboxError | null {
  try {
    admit(calls, pools, () => pools[0] as Pool, bounds);
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(SandboxError);
    return error as SandboxError;
  }
}

describe("the queue's bounds", () => {
  test("calls: the last place is given, one more is not, over all pools together", () => {
    const pools = [poolOf({ length: 4 }), poolOf({ length: 3 })];
    expect(refusal(callsOf(3), pools)).toBeNull();
    const error = refusal(callsOf(4), pools);
    expect(error).toMatchObject({ code: "queue_full", fault: "service", retryable: true, status: 429 });
    expect(error?.message).toBe("7 calls are waiting and 4 more came, the most is 10");
  });

  test("bytes: the last byte is given, one more is not, over all pools together", () => {
    const [call] = callsOf(1) as [AcceptedCall];
    const room = poolOf({ bytes: BOUNDS.bytesMax - call.bytes - 5 });
    expect(refusal([call], [room, poolOf({ bytes: 5 })])).toBeNull();
    const error = refusal([call], [room, poolOf({ bytes: 6 })]);
    expect(error).toMatchObject({ code: "queue_full" });
    expect(error?.message).toContain(`the most is ${BOUNDS.bytesMax}`);
  });

  test("a batch is taken as a whole or not at all, for any numbers", () => {
    fc.assert(
      fc.property(fc.nat(15), fc.nat(15), fc.nat(20_000), (waiting, count, bytes) => {
        const calls = callsOf(count);
        const sum = calls.reduce((total, call) => total + call.bytes, 0);
        const bounds = { ...BOUNDS, bytesMax: 20_000 };
        const fits = waiting + count <= bounds.callsMax && bytes + sum <= bounds.bytesMax;
        const refused = refusal(calls, [poolOf({ length: waiting, bytes })], bounds);
        const never =
          count > bounds.callsMax ? "batch_too_long" : sum > bounds.bytesMax ? "call_too_large" : null;
        expect(refused?.code ?? null).toBe(fits ? null : (never ?? "queue_full"));
      }),
    );
  });

  test("a retry makes sense when a tenth of the queue has gone: at least a second, at most a minute", () => {
    const retryAfter = (msPerCall: number) =>
      refusal(callsOf(1), [poolOf({ length: 10, msPerCall })])?.retryAfterMs;
    expect(retryAfter(0)).toBe(1000);
    expect(retryAfter(2000.4)).toBe(2000);
    expect(retryAfter(1e9)).toBe(60_000);
  });
});

describe("a call's own deadline", () => {
  const busy = poolOf({ length: 4, msPerCall: 100 });

  test("is unmeetable only when the expected wait is longer", () => {
    expect(refusal(callsOf(1, { deadline_ms: 400 }), [busy])).toBeNull();
    const error = refusal(callsOf(1, { deadline_ms: 399 }), [busy]);
    expect(error).toMatchObject({
      code: "deadline_unmeetable",
      status: 503,
      retryable: true,
      retryAfterMs: 1000,
    });
    expect(error?.message).toMatch(/about 400 ms.* 399/);
  });

  test("a call without one is never refused for its wait", () => {
    expect(refusal(callsOf(1), [poolOf({ length: 9, msPerCall: 1e9 })])).toBeNull();
  });

  test("the calls of a batch wait for those before them", () => {
    const empty = poolOf({ msPerCall: 100 });
    expect(refusal(callsOf(5, { deadline_ms: 400 }), [empty])).toBeNull();
    expect(refusal(callsOf(6, { deadline_ms: 400 }), [empty])).toMatchObject({ code: "deadline_unmeetable" });
  });

  test("only calls for the same pool are ahead", () => {
    const [one, other] = [poolOf({ msPerCall: 100 }), poolOf({ msPerCall: 100 })] as const;
    const calls = callsOf(6, { deadline_ms: 200 });
    const alternate = (call: AcceptedCall) => (calls.indexOf(call) % 2 === 0 ? one : other);
    expect(() => admit(calls, [one, other], alternate, BOUNDS)).not.toThrow();
  });

  test("a retry makes sense when the wait has become short enough", () => {
    const long = poolOf({ length: 9, msPerCall: 1000 });
    expect(refusal(callsOf(1, { deadline_ms: 4000 }), [long])?.retryAfterMs).toBe(5000);
  });
});

test("an engine without a sandbox is unavailable, whatever the queue", () => {
  const down = poolOf({ available: false });
  expect(refusal(callsOf(1), [down])).toMatchObject({
    code: "engine_unavailable",
    retryable: true,
    retryAfterMs: 1000,
  });
  expect(refusal(callsOf(1), [poolOf({}), down])).toBeNull();
  expect(refusal([], [down])).toBeNull();
});
