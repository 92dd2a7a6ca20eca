import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Linked, LinkedQueue } from "../../src/lib/linked-queue.ts";

interface Item extends Linked<Item> {
  readonly name: number;
}

const commands = fc.array(
  fc.record({ kind: fc.constantFrom("last", "first", "take", "remove"), at: fc.nat(20) }),
  { maxLength: 60 },
);

test("it is a list, whatever is pushed, taken and removed", () => {
  fc.assert(
    fc.property(commands, (list) => {
      const queue = new LinkedQueue<Item>();
      const model: Item[] = [];
      let names = 0;
      const fresh = (): Item => ({ name: names++, next: null, previous: null });
      const gone: Item[] = [];
      const took = (item: Item): void => {
        expect([item.next, item.previous]).toEqual([null, null]);
        gone.push(item);
      };
      for (const command of list) {
        if (command.kind === "last" || command.kind === "first") {
          // One that was taken out may come back.
          const item = gone.pop() ?? fresh();
          if (command.kind === "last") {
            queue.pushLast(item);
            model.push(item);
          } else {
            queue.pushFirst(item);
            model.unshift(item);
          }
        } else if (command.kind === "take") {
          const item = queue.takeFirst();
          expect(item).toBe(model.shift() ?? null);
          if (item !== null) took(item);
        } else if (model.length > 0) {
          const [item] = model.splice(command.at % model.length, 1) as [Item];
          queue.remove(item);
          took(item);
        }
        expect(queue.length).toBe(model.length);
      }
      const rest = Array.from({ length: model.length }, () => queue.takeFirst()?.name);
      expect(rest).toEqual(model.map((item) => item.name));
      expect(queue.takeFirst()).toBeNull();
      expect(queue.length).toBe(0);
    }),
    { numRuns: 1000 },
  );
});
