/**
 * Load-balanced rollouts over several engines. A trajectory is admitted to one engine when that engine's KV cache has
 * room for what it will become, and stays there, where its prefix is cached. Each turn is one request. Between turns
 * the trajectory is in a tool call and holds no engine's permit; when it comes back it may be held until its turn
 * fits, or be moved to an engine that is much less busy. An engine that fails loses its trajectories to the others.
 *
 * `Dispatch` decides and never waits; this file is what waits: for a place, for a turn, for the engine.
 */
import {
  EngineError,
  type Metrics,
  type Piece,
  type Sample,
  type SampleOptions,
  type SampleRequest,
  type Sampler,
} from "../ports.ts";
import { hashOf } from "../random.ts";
import { Dispatch, type Ticket } from "./dispatch.ts";
import { MACHINE_CLOCK, type Clock, type FleetEngine } from "./ports.ts";
import type { TimelineEntry } from "./timeline.ts";

export interface StageBounds {
  /** Tokens after the opening of a rollout, at most. */
  readonly responseTokensMax: number;
  /**
   * A longer turn is asked for in pieces of so many tokens, between which it can be held or moved. Default: whole
   * turns. Engines with a prefix cache continue a piece at next to no cost.
   */
  readonly sliceTokens?: number;
}

export interface SchedulerOptions extends StageBounds {
  /** At least one; names are unique. */
  readonly engines: readonly FleetEngine[];
  /** Trajectories on one engine at a time, at most. Default: as many as its KV cache allows. */
  readonly trajectoriesMax?: number;
  /** How often engines are asked for their load. Milliseconds; default 2500. */
  readonly pollMs?: number;
  /** For how long a turn is tried while engines fail. Milliseconds; default 600,000. */
  readonly patienceMs?: number;
  readonly clock?: Clock;
}

export interface Admission {
  /** Unique among those in flight. */
  readonly key: string;
  /** Rollouts of one group go first to last before those of the next, so that groups are complete early. */
  readonly group: string;
  /** Tokens of the opening. */
  readonly promptTokens: number;
  readonly signal?: AbortSignal | undefined;
}

/** A trajectory's place. `sample` is one turn; whatever happens between two turns holds no engine. */
export interface Seat extends Sampler {
  /** Gives the place back. A second time does nothing. */
  close(): void;
}

export interface StepReport {
  readonly metrics: Metrics;
  readonly timeline: readonly TimelineEntry[];
}

export interface Scheduler {
  /** Tokens of prompt and continuation together, at most, on any engine. */
  readonly contextTokens: number;
  /** Waits for a place. @throws what `signal` is aborted with */
  admit(admission: Admission): Promise<Seat>;
  /** The step is over: its rollouts' lengths are what the next step is planned with. */
  endStep(): StepReport;
  /** Lengths are bounded otherwise from now on: nothing is known about them. */
  beginStage(stage: StageBounds): void;
  /**
   * Lets no turn begin and resolves when none runs, as for new weights. Trajectories in flight stay, and go on with
   * `resume`: rollouts that are carried over to the next step.
   */
  hold(): Promise<void>;
  resume(): void;
  /** Stops asking the engines for their load. */
  close(): void;
}

/** The request for what is left of a turn, and what has been written of it. */
function nextSlice(request: SampleRequest, written: readonly number[], sliceTokens: number): SampleRequest {
  const left = request.maxTokens - written.length;
  if (written.length === 0) return { ...request, maxTokens: Math.min(left, sliceTokens) };
  const seed = request.seed === undefined ? {} : { seed: hashOf(request.seed, written.length) };
  return {
    ...request,
    ...seed,
    prompt: [...request.prompt, ...written],
    maxTokens: Math.min(left, sliceTokens),
  };
}

async function sampleOnce(
  dispatch: Dispatch,
  ticket: Ticket,
  request: SampleRequest,
  { patienceMs, clock, signal }: { patienceMs: number; clock: Clock; signal: AbortSignal | undefined },
): Promise<Sample> {
  let failingSince: number | null = null;
  for (;;) {
    const { sampler } = await dispatch.turn(ticket, request.prompt.length, request.maxTokens, signal);
    let written: number | null = null;
    try {
      const sample = await sampler.sample(request, signal === undefined ? {} : { signal });
      written = sample.tokens.length;
      return sample;
    } catch (error) {
      // Given up is given up, whatever the engine says about it.
      signal?.throwIfAborted();
      if (!(error instanceof EngineError) || !error.retryable) throw error;
      failingSince ??= clock.now();
      if (clock.now() - failingSince > patienceMs) throw error;
      dispatch.failed(ticket, error.message);
    } finally {
      dispatch.ended(ticket, written);
    }
  }
}

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { engines, patienceMs = 600_000, clock = MACHINE_CLOCK } = options;
  let { sliceTokens = Infinity } = options;
  if (engines.length === 0) throw new RangeError("a scheduler needs at least one engine");
  const contextTokens = Math.min(...engines.map(({ sampler }) => sampler.contextTokens));
  const dispatch = new Dispatch({
    engines,
    clock,
    responseTokensMax: options.responseTokensMax,
    trajectoriesMax: options.trajectoriesMax ?? Infinity,
    pollMs: options.pollMs ?? 2500,
  });

  async function sampleTurn(ticket: Ticket, request: SampleRequest, signal?: AbortSignal): Promise<Sample> {
    const tokens: number[] = [];
    const logprobs: number[] = [];
    const pieces: Piece[] = [];
    for (;;) {
      const slice = nextSlice(request, tokens, sliceTokens);
      const sample = await sampleOnce(dispatch, ticket, slice, { patienceMs, clock, signal });
      tokens.push(...sample.tokens);
      logprobs.push(...sample.logprobs);
      pieces.push({ tokens: sample.tokens.length, weightsVersion: sample.weightsVersion });
      if (sample.stopReason === "stop" || tokens.length >= request.maxTokens) {
        const weightsVersion = Math.min(...pieces.map((piece) => piece.weightsVersion));
        return { tokens, logprobs, stopReason: sample.stopReason, weightsVersion, pieces };
      }
    }
  }

  return {
    contextTokens,
    async admit({ key, group, promptTokens, signal }) {
      const ticket = await dispatch.admit({ group, promptTokens }, signal);
      return {
        contextTokens,
        sample: (request: SampleRequest, { signal: given }: SampleOptions = {}) =>
          sampleTurn(ticket, { ...request, sessionKey: request.sessionKey ?? key }, given ?? signal),
        close: () => dispatch.close(ticket),
      };
    },
    endStep: () => dispatch.endStep(),
    beginStage(stage) {
      sliceTokens = stage.sliceTokens ?? Infinity;
      dispatch.beginStage(stage.responseTokensMax);
    },
    hold: () => dispatch.hold(),
    resume: () => dispatch.resume(),
    close: () => dispatch.stop(),
  };
}
