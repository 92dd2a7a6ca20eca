/** The demo's client, a process of its own: sends the plan, checks each answer, reports to its parent. */
import { createClient } from "../../src/client/index.ts";
import type { Executor } from "../../src/contract/executor.ts";
import { drawProgress } from "./panel.ts";
import { type PlannedCall, allCalls, makePlan } from "./plan.ts";
import { Tally, type Way } from "./tally.ts";

const BATCHES_IN_FLIGHT = 2;
const SINGLES_IN_FLIGHT = 128;

async function send(executor: Executor, tally: Tally, one: PlannedCall, way: Way): Promise<void> {
  const sentAt = performance.now();
  tally.inFlight += 1;
  try {
    const result = await executor.execute(one.call);
    tally.answer(one.call.id, result, way, performance.now() - sentAt);
  } catch (error) {
    tally.refuse(one.call.id, error);
  }
  tally.inFlight -= 1;
}

async function sendBatch(executor: Executor, tally: Tally, batch: readonly PlannedCall[]): Promise<void> {
  const sentAt = performance.now();
  let open = batch.length;
  tally.inFlight += open;
  try {
    const items = await executor.executeBatch(batch.map((one) => one.call));
    for await (const { index, result } of items) {
      tally.answer(batch[index]?.call.id ?? `index ${index}`, result, "batch", performance.now() - sentAt);
      tally.inFlight -= 1;
      open -= 1;
    }
  } catch (error) {
    tally.refuse("batch", error);
  }
  tally.inFlight -= open;
}

/** Works through the items, `width` at a time. */
async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const lane = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

const url = process.argv[2];
if (url === undefined) throw new Error("usage: client.ts <url of the service>");
const plan = makePlan();
const tally = new Tally(allCalls(plan));
const executor = createClient({ baseUrl: url, connections: BATCHES_IN_FLIGHT + SINGLES_IN_FLIGHT });
const stopDrawing = drawProgress(tally);
const startedAt = performance.now();
await Promise.all([
  inParallel(plan.batches, BATCHES_IN_FLIGHT, (batch) => sendBatch(executor, tally, batch)),
  inParallel(plan.singles, SINGLES_IN_FLIGHT, (one) => send(executor, tally, one, "single")),
]);
const loadMs = performance.now() - startedAt;
for (const one of plan.alone) await send(executor, tally, one, "alone");
stopDrawing();
await executor.close();
process.send?.(tally.report(loadMs));
process.disconnect?.();
