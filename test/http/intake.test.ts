import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { Intake } from "../../src/http/intake.ts";

/** A clock that only work moves. */
function setUp(costMs: number) {
  let at = 0;
  const intake = new Intake(() => at);
  const done: number[] = [];
  const take = (from: number, to: number): void => {
    for (let index = from; index < to; index += 1)
      intake.take(() => {
        at += costMs;
        done.push(index);
      });
  };
  return { take, done };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe("intake", () => {
  test("a request that comes alone is carried on at once", () => {
    const { take, done } = setUp(100);
    take(0, 1);
    expect(done).toEqual([0]);
  });

  test("many at once are spread over turns of the event loop, in their order", async () => {
    const { take, done } = setUp(1);
    take(0, 100);
    const first = done.length;
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(20);
    await turn();
    take(100, 110);
    expect(done.length).toBeLessThan(40);
    for (let turns = 0; turns < 40; turns += 1) await turn();
    expect(done).toEqual(upTo(110));
  });

  test("one that takes long keeps the others to later turns only", async () => {
    const { take, done } = setUp(1000);
    take(0, 3);
    expect(done).toEqual([0]);
    for (let turns = 0; turns < 6; turns += 1) await turn();
    expect(done).toEqual(upTo(3));
    take(3, 4);
    expect(done).toEqual(upTo(4));
  });
});
