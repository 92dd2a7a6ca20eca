/**
 * One rollout, from the problem to its reward. Tokens are only ever appended, so what was sampled is what is trained
 * on; a tool response has mask 0. Rollouts know nothing of each other: none waits for another.
 */
import { EngineError, type Piece, type Renderer, type Sample, type Sampler } from "../ports.ts";
import { hashOf } from "../random.ts";
import type { Problem } from "../tasks/problem.ts";
import type { Env } from "./env.ts";
import type { Ending, Segment, Trajectory, TurnRecord } from "./trajectory.ts";

export interface RolloutLimits {
  /** Turns that the model may write. */
  readonly turnsMax: number;
  /** Tokens after the opening, tool responses included. */
  readonly responseTokensMax: number;
}

export interface RolloutOptions {
  readonly sampler: Sampler;
  readonly renderer: Renderer;
  readonly env: Env;
  readonly system: string;
  readonly limits: RolloutLimits;
  readonly temperature: number;
  readonly topP: number;
  /** Names this rollout: its seed and its place on a fleet of engines follow from it. */
  readonly key: readonly (string | number)[];
  readonly signal?: AbortSignal | undefined;
}

/** The token sequence as it grows. */
class Trail {
  readonly tokens: number[];
  readonly mask: number[];
  readonly logprobs: number[];
  readonly promptTokens: number;
  readonly segments: Segment[] = [];

  constructor(opening: readonly number[]) {
    this.tokens = [...opening];
    this.mask = opening.map(() => 0);
    this.logprobs = opening.map(() => 0);
    this.promptTokens = opening.length;
  }

  /** What the model wrote. */
  write({ tokens, logprobs, weightsVersion, pieces }: Sample): void {
    if (tokens.length !== logprobs.length || !logprobs.every(Number.isFinite))
      throw new EngineError(
        `the engine's reply is unusable: ${tokens.length} tokens, ${logprobs.filter(Number.isFinite).length} finite log probabilities`,
        { retryable: false },
      );
    for (const piece of pieces ?? [{ tokens: tokens.length, weightsVersion }]) this.#addSegment(piece);
    for (const [at, token] of tokens.entries()) this.#add(token, 1, logprobs[at] ?? 0);
  }

  /** What the environment put in. */
  show(tokens: readonly number[]): void {
    for (const token of tokens) this.#add(token, 0, 0);
  }

  /** The next tokens are of this version. */
  #addSegment({ tokens, weightsVersion }: Piece): void {
    const last = this.segments.at(-1);
    const from = Math.max(this.tokens.length, last?.to ?? 0);
    if (last?.to === from && last.weightsVersion === weightsVersion)
      this.segments.splice(-1, 1, { ...last, to: from + tokens });
    else this.segments.push({ from, to: from + tokens, weightsVersion });
  }

  #add(token: number, mask: 0 | 1, logprob: number): void {
    this.tokens.push(token);
    this.mask.push(mask);
    this.logprobs.push(logprob);
  }
}

/** What is known of a rollout once it has ended and before it is graded. */
interface Ended {
  readonly turns: readonly TurnRecord[];
  readonly ending: Ending;
  readonly answer: string | null;
  readonly answers: number;
  readonly serviceFailed: string | null;
}

/** Turn by turn until the rollout ends; the trail has its tokens then. */
async function takeTurns(trail: Trail, options: RolloutOptions): Promise<Ended> {
  const { sampler, renderer, env, limits, signal } = options;
  const end = Math.min(sampler.contextTokens, trail.promptTokens + limits.responseTokensMax);
  const turns: TurnRecord[] = [];
  let answer: string | null = null;
  let answers = 0;
  const over = (ending: Ending, serviceFailed: string | null = null): Ended => ({
    turns,
    ending,
    answer,
    answers,
    serviceFailed,
  });

  while (trail.tokens.length < end) {
    const sample = await sampler.sample(
      {
        prompt: [...trail.tokens],
        maxTokens: end - trail.tokens.length,
        temperature: options.temperature,
        topP: options.topP,
        stop: renderer.stop,
        seed: hashOf(...options.key, turns.length),
        sessionKey: options.key.join("/"),
      },
      signal === undefined ? {} : { signal },
    );
    trail.write(sample);
    const turn = renderer.parse(sample.tokens);
    const isLast = sample.stopReason === "length" || turn.toolCalls.length === 0;
    answer = turn.answer ?? answer;
    answers += turn.answers;
    const { calls, serviceFailed } = isLast ? NOTHING_DONE : await env.step(turn);
    turns.push({ text: turn.text, stopReason: sample.stopReason, calls });
    if (isLast) return over(sample.stopReason === "length" ? "length" : "finished");
    if (serviceFailed !== null) return over("finished", serviceFailed);
    if (turns.length >= limits.turnsMax) return over("turns");
    const responses = calls.map(({ response }) => response);
    trail.show(renderer.respond(sample, responses).slice(0, end - trail.tokens.length));
  }
  return over("length");
}

const NOTHING_DONE = { calls: [], serviceFailed: null } as const;

/** Lets one rollout happen. @throws EngineError, SandboxError or ServiceGone when it cannot be carried on */
export async function rollOut(problem: Problem, options: RolloutOptions): Promise<Trajectory> {
  const trail = new Trail(options.renderer.open({ system: options.system, prompt: problem.prompt }));
  const { serviceFailed, ...ended } = await takeTurns(trail, options);
  const { tokens, mask, logprobs, promptTokens, segments } = trail;
  const record = { problem, tokens, mask, logprobs, promptTokens, segments, ...ended };
  if (serviceFailed !== null) return { ...record, reward: null, excluded: serviceFailed };
  // An answer in a rollout that was cut is none: it keeps its 0, and nobody is asked.
  const { reward, detail } = await options.env.conclude(ended.ending === "finished" ? ended.answer : null);
  return { ...record, reward, excluded: reward === null ? (detail ?? "the answer was not verified") : null };
}
