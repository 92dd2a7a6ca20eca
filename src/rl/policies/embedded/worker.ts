/**
 * Entry of a worker thread: a replica of the model, which samples and computes gradients on its own core. Nothing here
 * decides anything; the engine does, and asks.
 */
import { parentPort, workerData } from "node:worker_threads";
import { adamStep } from "./adam.ts";
import { Decoder } from "./decoder.ts";
import { useDevice } from "./device.ts";
import { gradientOf, scoresOf } from "./gradient.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./protocol.ts";
import { dispose, tensorsOf, type Tensors } from "./transformer.ts";

const start = workerData as WorkerStart;
const port = parentPort;
if (port === null) throw new Error("this file is the entry of a worker thread");

const ready = useDevice(start.device);
// Told to who asks.
ready.catch(() => undefined);
const computeGradient = gradientOf(start.shape);
const computeScores = scoresOf(start.shape);
const decoder = new Decoder(start.shape, start.banksMax, (error) => {
  // Requests that wait would wait for ever: the thread ends, and the engine tells everyone why.
  queueMicrotask(() => {
    throw error;
  });
});
const sampling = new Set<number>();
let training: Tensors | null = null;

function answer(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
  port?.postMessage(message, [...transfer]);
}

async function serve(message: Exclude<ToWorker, { verb: "cancel" }>): Promise<void> {
  const { id } = message;
  await ready;
  switch (message.verb) {
    case "ready":
      return answer({ id, give: null });
    case "refresh":
      if (training !== null) dispose(training);
      training = tensorsOf(start.shape, start.weights);
      return answer({ id, give: null });
    case "gradient": {
      training ??= tensorsOf(start.shape, start.weights);
      const give = await computeGradient(training, message.take.chunk, message.take.loss);
      return answer({ id, give }, [give.gradient.buffer as ArrayBuffer]);
    }
    case "score":
      training ??= tensorsOf(start.shape, start.weights);
      return answer({ id, give: await computeScores(training, message.take.chunk) });
    case "adam":
      return answer({ id, give: adamStep(start, message.take.parameters, message.take.step) });
    case "publish":
      decoder.publish({
        version: message.take.version,
        tensors: tensorsOf(start.shape, start.weights),
      });
      return answer({ id, give: null });
    case "sample":
      if (!sampling.has(id)) return;
      return decoder.submit(
        message.take,
        (give) => {
          sampling.delete(id);
          answer({ id, give });
        },
        () => !sampling.has(id),
      );
  }
}

port.on("message", (message: ToWorker) => {
  if (message.verb === "cancel") {
    sampling.delete(message.id);
    return;
  }
  if (message.verb === "sample") sampling.add(message.id);
  serve(message).catch((error: unknown) => {
    sampling.delete(message.id);
    answer({ id: message.id, error: error instanceof Error ? error.message : String(error) });
  });
});
