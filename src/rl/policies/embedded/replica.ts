/** The engine's end of one worker thread: questions with their answers, and its end told to everyone who waits. */
import { Worker } from "node:worker_threads";
import { EngineError } from "../../ports.ts";
import type { FromWorker, Questions, ToWorker, Verb, WorkerStart } from "./protocol.ts";

interface Pending {
  readonly resolve: (give: never) => void;
  readonly reject: (error: Error) => void;
}

/** The thread is gone: no fault of what was asked. */
export class ModelGone extends EngineError {}

export class Replica {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #ended: EngineError | null = null;

  constructor(start: WorkerStart) {
    const entry = import.meta.url.endsWith(".ts") ? "worker.ts" : "worker.js";
    this.#worker = new Worker(new URL(entry, import.meta.url), { workerData: start, name: "embedded-model" });
    this.#worker.on("message", (message: FromWorker) => this.#answered(message));
    this.#worker.on("error", (error) => this.#end(`the embedded model's thread failed: ${String(error)}`));
    this.#worker.on("exit", (code) => this.#end(`the embedded model's thread ended with code ${code}`));
  }

  /** Questions that wait for an answer. */
  get load(): number {
    return this.#pending.size;
  }

  ask<V extends Verb>(
    verb: V,
    take: Questions[V]["take"],
    signal?: AbortSignal,
  ): Promise<Questions[V]["give"]> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#pending.delete(id);
        this.#send({ verb: "cancel", id });
        reject(signal?.reason as Error);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      const forget = (): void => signal?.removeEventListener("abort", onAbort);
      this.#pending.set(id, {
        resolve: (give) => {
          forget();
          resolve(give);
        },
        reject: (error) => {
          forget();
          reject(error);
        },
      });
      this.#send({ id, verb, take } as ToWorker);
    });
  }

  async close(): Promise<void> {
    this.#end("the engine is closed");
    await this.#worker.terminate();
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message, []);
  }

  #answered(message: FromWorker): void {
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    this.#pending.delete(message.id);
    if ("error" in message)
      pending.reject(new EngineError(`the embedded model failed: ${message.error}`, { retryable: false }));
    else pending.resolve(message.give as never);
  }

  #end(why: string): void {
    this.#ended ??= new ModelGone(why, { retryable: false });
    for (const pending of this.#pending.values()) pending.reject(this.#ended);
    this.#pending.clear();
  }
}
