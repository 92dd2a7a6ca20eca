/** What the engine and its worker threads say to each other. Weights and moments lie in memory that they share. */
import type { AdamParameters, Loss, Sample } from "../../ports.ts";
import type { Chunk } from "./batches.ts";
import type { Continuation } from "./decoder.ts";
import type { DeviceName } from "./device.ts";
import type { ChunkGradient } from "./gradient.ts";
import type { ModelShape } from "./shape.ts";

/** `workerData` of a worker. The arrays are on SharedArrayBuffers; the engine orders who writes them when. */
export interface WorkerStart {
  readonly shape: ModelShape;
  readonly device: DeviceName;
  /** Banks of rows that decode at the same time, at most. */
  readonly banksMax: number;
  readonly weights: Float32Array;
  readonly gradient: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
}

/** What can be asked, with what it takes and gives. */
export interface Questions {
  /** Resolves when the device is ready. */
  ready: { take: null; give: null };
  /** Gradients are computed with the shared weights as they are now. */
  refresh: { take: null; give: null };
  gradient: { take: { readonly chunk: Chunk; readonly loss: Loss }; give: ChunkGradient };
  /** Gives the log probability of each target, row-major. */
  score: { take: { readonly chunk: Chunk }; give: Float32Array };
  /** Gives the gradient's norm. */
  adam: { take: { readonly parameters: AdamParameters; readonly step: number }; give: number };
  /** Sampling from now on uses the shared weights as they are now. */
  publish: { take: { readonly version: number }; give: null };
  sample: { take: Continuation; give: Sample };
}

export type Verb = keyof Questions;

export type ToWorker =
  | { [V in Verb]: { readonly id: number; readonly verb: V; readonly take: Questions[V]["take"] } }[Verb]
  /** The `sample` of that id is of no use any more; it is not answered. */
  | { readonly verb: "cancel"; readonly id: number };

export type FromWorker =
  | { readonly id: number; readonly give: Questions[Verb]["give"] }
  | { readonly id: number; readonly error: string };
