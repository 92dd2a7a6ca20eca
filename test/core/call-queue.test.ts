import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PRIORITIES, type Priority } from "../../src/contract/call.ts";
import { CallQueue, type Queued } from "../../src/core/call-queue.ts";
import type { Linked } from "../../src/lib/linked-queue.ts";

interface Waiting extends Queued, Linked<Waiting> {
  readonly name: number;
}

let names = 0;
const waiting = (tenant: string, priority: Priority = "normal", bytes = 1): Waiting => ({
  name: names++,
  tenant,
  priority,
  bytes,
  next: null,
  previous: null,
});

const TENANTS = ["ann", "bob", "cid"];

/** Lists by tenant and priority: what the queue must agree with on all but the order between them. */
class Model {
  readonly lines = new Map<string, Waiting[]>();
  readonly queue = new CallQueue<Waiting>();

  lineOf(call: Queued): Waiting[] {
    const key = `${call.priority} ${call.tenant}`;
    const line = this.lines.get(key) ?? [];
    this.lines.set(key, line);
    return line;
  }

  get all(): Waiting[] {
    return [...this.lines.values()].flat();
  }

  take(): Waiting | null {
    const call = this.queue.take();
    if (call === null) expect(this.all).toEqual([]);
    else expect(this.lineOf(call).shift(), "first come, first served").toBe(call);
    return call;
  }

  check(): void {
    expect(this.queue.length).toBe(this.all.length);
    expect(this.queue.bytes).toBe(this.all.reduce((sum, call) => sum + call.bytes, 0));
  }
}

abstract class Command implements fc.Command<Model, CallQueue<Waiting>> {
  check = () => true;
  run(model: Model): void {
    this.apply(model);
    model.check();
  }
  abstract apply(model: Model): void;
}

class Push extends Command {
  readonly tenant: string;
  readonly priority: Priority;
  readonly bytes: number;
  readonly front: boolean;
  constructor(tenant: string, priority: Priority, bytes: number, front: boolean) {
    super();
    this.tenant = tenant;
    this.priority = priority;
    this.bytes = bytes;
    this.front = front;
  }
  override apply(model: Model): void {
    const call = waiting(this.tenant, this.priority, this.bytes);
    if (this.front) {
      model.lineOf(call).unshift(call);
      model.queue.pushFront(call);
    } else {
      model.lineOf(call).push(call);
      model.queue.push(call);
    }
  }
  override toString = () => `${this.front ? "pushFront" : "push"}(${this.priority} ${this.tenant})`;
}

class Remove extends Command {
  readonly at: number;
  constructor(at: number) {
    super();
    this.at = at;
  }
  override apply(model: Model): void {
    const { all } = model;
    const call = all[this.at % Math.max(1, all.length)];
    if (call === undefined) return;
    const line = model.lineOf(call);
    line.splice(line.indexOf(call), 1);
    model.queue.remove(call);
  }
  override toString = () => `remove(${this.at})`;
}

class Take extends Command {
  override apply(model: Model): void {
    model.take();
  }
  override toString = () => "take()";
}

test("whatever is pushed, removed and taken: counts and bytes are exact and each line is first come, first served", () => {
  const push = fc
    .tuple(fc.constantFrom(...TENANTS), fc.constantFrom(...PRIORITIES), fc.nat(1000), fc.boolean())
    .map((given) => new Push(...given));
  const commands = fc.commands([push, fc.nat(50).map((at) => new Remove(at)), fc.constant(new Take())], {
    maxCommands: 60,
  });
  fc.assert(
    fc.property(commands, (list) => {
      const model = new Model();
      fc.modelRun(() => ({ model, real: model.queue }), list);
      while (model.take() !== null) model.check();
      model.check();
    }),
    { numRuns: 1000 },
  );
});

const WEIGHTS: Readonly<Record<Priority, number>> = { high: 16, normal: 4, low: 1 };

const taken = (queue: CallQueue<Waiting>, count: number) =>
  Array.from({ length: count }, () => queue.take() as Waiting);

describe("priorities", () => {
  test("of twenty-one grants under contention each priority gets its share, turn after turn", () => {
    const queue = new CallQueue<Waiting>();
    for (let count = 0; count < 400; count++)
      for (const priority of PRIORITIES) queue.push(waiting("ann", priority));
    for (let turn = 0; turn < 10; turn++) {
      const got = taken(queue, 21).map((call) => call.priority);
      for (const priority of PRIORITIES) {
        expect(got.filter((one) => one === priority)).toHaveLength(WEIGHTS[priority]);
      }
    }
  });

  test("a priority alone gets every grant", () => {
    const queue = new CallQueue<Waiting>();
    for (let count = 0; count < 30; count++) queue.push(waiting("ann", "low"));
    expect(taken(queue, 30).every((call) => call.priority === "low")).toBe(true);
    expect(queue.take()).toBeNull();
  });

  test("one that was away has saved nothing up, and owes nothing but its last grant", () => {
    const queue = new CallQueue<Waiting>();
    for (let count = 0; count < 1000; count++) queue.push(waiting("ann", "high"));
    taken(queue, 500);
    for (let count = 0; count < 100; count++) queue.push(waiting("bob", "low"));
    const got = taken(queue, 34).map((call) => call.priority);
    expect(got.filter((one) => one === "low").length).toBeOneOf([2, 3]);
  });

  test("whoever waits, in any history, is granted a slot within a bound", () => {
    // What the others may get while the head of a lane waits one turn of its own, and one grant over for each.
    const bound = (priority: Priority) =>
      PRIORITIES.filter((one) => one !== priority).reduce(
        (sum, one) => sum + WEIGHTS[one] / WEIGHTS[priority] + 1,
        0,
      );
    const step = fc.record({ priority: fc.constantFrom(...PRIORITIES), pushes: fc.nat(6), takes: fc.nat(6) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new CallQueue<Waiting>();
        const left: Record<Priority, number> = { high: 0, normal: 0, low: 0 };
        const passedOver: Record<Priority, number> = { high: 0, normal: 0, low: 0 };
        const take = () => {
          const call = queue.take();
          if (call === null) return false;
          left[call.priority]--;
          for (const priority of PRIORITIES) {
            if (priority === call.priority || left[priority] === 0) passedOver[priority] = 0;
            else expect(++passedOver[priority]).toBeLessThanOrEqual(bound(priority));
          }
          return true;
        };
        for (const { priority, pushes, takes } of steps) {
          for (let count = 0; count < pushes; count++) queue.push(waiting("ann", priority));
          left[priority] += pushes;
          for (let count = 0; count < takes; count++) take();
        }
        while (take());
      }),
      { numRuns: 1000 },
    );
  });
});

describe("tenants", () => {
  test.each(PRIORITIES)(
    "a burst of thousands delays another's single call by at most one turn, at priority %s",
    (priority) => {
      const queue = new CallQueue<Waiting>();
      for (let count = 0; count < 5000; count++) queue.push(waiting("burst", priority));
      for (const already of [0, 1, 700]) {
        taken(queue, already);
        const single = waiting("single", priority);
        queue.push(single);
        expect(taken(queue, 2)).toContain(single);
      }
    },
  );

  test("a burst at every priority delays a low call by no more than one turn of every lane", () => {
    const queue = new CallQueue<Waiting>();
    for (let count = 0; count < 2000; count++)
      for (const priority of PRIORITIES) queue.push(waiting("burst", priority));
    taken(queue, 333);
    const single = waiting("single", "low");
    queue.push(single);
    expect(taken(queue, 2 * 21 + 2)).toContain(single);
  });

  test("tenants that all wait take turns", () => {
    const queue = new CallQueue<Waiting>();
    for (const [index, tenant] of TENANTS.entries()) {
      for (let count = 0; count < 50 * (index + 1); count++) queue.push(waiting(tenant));
    }
    for (let turn = 0; turn < 50; turn++) {
      expect(new Set(taken(queue, 3).map((call) => call.tenant)).size).toBe(3);
    }
  });

  test("one that comes back as soon as it was served does not starve one that waits", () => {
    const queue = new CallQueue<Waiting>();
    for (let count = 0; count < 100; count++) queue.push(waiting("patient"));
    let served = 0;
    for (let turn = 0; turn < 100; turn++) {
      queue.push(waiting("eager"));
      if (queue.take()?.tenant === "patient") served++;
      // Keep it to one call that waits.
      if (queue.length > 100 - served) while (queue.take()?.tenant !== "eager") served++;
    }
    expect(served).toBeGreaterThanOrEqual(50);
  });

  test("newcomers without end come after those that wait already", () => {
    const queue = new CallQueue<Waiting>();
    for (let count = 0; count < 10; count++) queue.push(waiting("patient"));
    let left = queue.length;
    let turns = 0;
    let othersWaiting = 0;
    for (let turn = 0; turn < 300; turn++) {
      queue.push(waiting(`newcomer ${turn}`));
      queue.push(waiting(`another ${turn}`));
      if (queue.take()?.tenant === "patient") {
        left--;
        turns = 0;
        othersWaiting = queue.length - left;
      } else {
        expect(++turns).toBeLessThanOrEqual(othersWaiting);
      }
    }
    expect(left).toBeLessThan(5);
  });

  test("any tenant that waits is granted a slot within two turns of every other", () => {
    const step = fc.record({
      tenant: fc.constantFrom(...TENANTS),
      pushes: fc.nat(4),
      takes: fc.nat(4),
      withdraws: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new CallQueue<Waiting>();
        const lines = new Map<string, Waiting[]>(TENANTS.map((tenant) => [tenant, []]));
        const passedOver = new Map<string, number>();
        const take = () => {
          const call = queue.take();
          if (call === null) return false;
          lines.get(call.tenant)?.shift();
          for (const [tenant, line] of lines) {
            const count = tenant === call.tenant || line.length === 0 ? 0 : (passedOver.get(tenant) ?? 0) + 1;
            passedOver.set(tenant, count);
            expect(count).toBeLessThanOrEqual(2 * (TENANTS.length - 1));
          }
          return true;
        };
        for (const { tenant, pushes, takes, withdraws } of steps) {
          const line = lines.get(tenant) as Waiting[];
          for (let count = 0; count < pushes; count++) {
            const call = waiting(tenant);
            line.push(call);
            queue.push(call);
          }
          const last = line.at(-1);
          if (withdraws && last !== undefined) {
            line.pop();
            queue.remove(last);
            if (line.length === 0) passedOver.set(tenant, 0);
          }
          for (let count = 0; count < takes; count++) take();
        }
        while (take());
      }),
      { numRuns: 1000 },
    );
  });
});
