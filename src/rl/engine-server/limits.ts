/** Bounds of the engine server: everything that a client can make grow. */
export interface ServerLimits {
  /** Sessions at the same time. */
  readonly sessionsMax: number;
  /** A session that is silent for longer is over, and its models are unloaded. Milliseconds. */
  readonly sessionSilenceMs: number;
  /** Models in training at the same time, each with a thread of its own. */
  readonly modelsMax: number;
  /** Sampling sessions at the same time, over all sessions. */
  readonly samplingSessionsMax: number;
  /** Requests without a result at the same time. */
  readonly pendingMax: number;
  /** Results that are kept for whoever asks again; the oldest go first. */
  readonly resultsMax: number;
  /** How long `retrieve_future` waits for a result before it says "try again". Milliseconds. */
  readonly retrieveMs: number;
  /** How long a request waits for those with lower sequence numbers. Milliseconds. */
  readonly sequenceGapMs: number;
  /** Body of a request, also after decompression. Bytes. */
  readonly bodyBytesMax: number;
  /** Data of one forward_backward. */
  readonly dataMax: number;
  /** Samples of one asample. */
  readonly samplesMax: number;
  /** Checkpoints of one model, training and sampler together. */
  readonly checkpointsMax: number;
  /** Models that have something in the directory, those of earlier servers included. */
  readonly recordedModelsMax: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  sessionsMax: 64,
  sessionSilenceMs: 300_000,
  modelsMax: 4,
  samplingSessionsMax: 1024,
  pendingMax: 16_384,
  resultsMax: 16_384,
  retrieveMs: 30_000,
  sequenceGapMs: 5_000,
  bodyBytesMax: 64 << 20,
  dataMax: 4096,
  samplesMax: 1024,
  checkpointsMax: 1024,
  recordedModelsMax: 4096,
};
