/**
 * What one engine holds, counted here: every live token is known without asking, while the engine's own numbers are
 * seconds old. Two accounts are kept. The *forecast* decides who is admitted: the most that the trajectories here will
 * hold at one time. The *reservations* decide which turns run: the tokens of each running turn with what it is
 * expected to write, and their sum never exceeds the KV cache, except for one turn alone.
 */
import { Credit } from "./credit.ts";
import { STRIDES, type LengthModel } from "./length-model.ts";
import type { FleetEngine } from "./ports.ts";

/** Share of the KV cache, by our account or the engine's report, above which nothing is admitted, whatever the forecast. */
const ADMIT_BELOW = 0.8;
/** Share of the KV cache that forecasts may add up to: the rest is for what they get wrong, and for prefixes. */
const PROMISED = 0.85;
/**
 * While no lengths are known: share of the KV cache up to which rollouts are let in beyond the safe number, and how
 * many times the safe number they may be. Those that have just begun are short, and by the time they are not, so many
 * have ended that lengths are known.
 */
const UNKNOWN_FILL = 0.3;
const UNKNOWN_OVER = 4;
/** What a turn is expected to write is the mean of so many at most, and of so many of this length before any was seen. */
const TURNS_REMEMBERED = 4096;
const TURNS_ASSUMED = 16;
const TURN_TOKENS_ASSUMED = 512;
/** Weight of one turn in the speed of turns. */
const EWMA = 0.05;
/** Time for which an engine that failed is left alone; doubles with each failure in a row. Milliseconds. */
const REST_MS = 1000;
const REST_MAX_MS = 30_000;

/** One trajectory as the account sees it. */
export interface Holding {
  readonly promptTokens: number;
  /** Tokens at its last boundary. */
  tokens: number;
  /** Of the turn that runs, or null between turns. */
  running: { readonly startedAt: number; readonly maxTokens: number; readonly reserved: number } | null;
}

export class EngineAccount {
  readonly engine: FleetEngine;
  readonly credit = new Credit();
  readonly holdings = new Set<Holding>();
  /** Turns that run, and turns that wait to run here. */
  running = 0;
  waiting = 0;
  reserved = 0;
  kvTokens: number;
  /** Whether the engine still has to be asked how much it holds; until then it gets one trajectory. */
  isUnasked: boolean;
  /** Last reported share of the KV cache in use, or null. */
  kvUsage: number | null = null;
  downUntil = -Infinity;
  #failures = 0;
  #turns = TURNS_ASSUMED;
  #turnTokens = TURNS_ASSUMED * TURN_TOKENS_ASSUMED;
  /** Tokens per millisecond of one turn. */
  #speed = 0;

  constructor(engine: FleetEngine) {
    this.engine = engine;
    this.kvTokens = engine.kvTokens ?? Infinity;
    this.isUnasked = engine.kvTokens === undefined && engine.load !== undefined;
  }

  isUp(now: number): boolean {
    return now >= this.downUntil;
  }

  /** Tokens of all trajectories here, those in a tool call included, whose cache the engine may still hold. */
  live(now: number): number {
    let sum = 0;
    for (const holding of this.holdings) sum += this.#tokensNow(holding, now);
    return sum;
  }

  /** The most tokens that the trajectories here, and one more with `extra` prompt tokens, will hold at one time. */
  peak(model: LengthModel, now: number, extra: number | null = null): number {
    const ahead = new Float64Array(STRIDES + 1);
    const add = (promptTokens: number, tokens: number): void => {
      const most = Math.max(tokens, promptTokens + model.responseMax);
      for (let at = 0; at <= STRIDES; at += 1) {
        const then = Math.min(most, tokens + at * model.stride);
        ahead[at] = (ahead[at] ?? 0) + then * model.alive(tokens - promptTokens, at);
      }
    };
    for (const holding of this.holdings) add(holding.promptTokens, this.#tokensNow(holding, now));
    if (extra !== null) add(extra, extra);
    return ahead.reduce((most, tokens) => Math.max(most, tokens), 0);
  }

  /** Whether a trajectory that begins with `promptTokens` may come here. An empty engine takes any. */
  admits(promptTokens: number, model: LengthModel, now: number): boolean {
    if (this.holdings.size === 0) return true;
    if (this.isUnasked) return false;
    if (this.kvTokens === Infinity) return true;
    if ((this.kvUsage ?? 0) > ADMIT_BELOW) return false;
    if (this.live(now) + promptTokens > ADMIT_BELOW * this.kvTokens) return false;
    if (this.peak(model, now, promptTokens) <= this.promised) return true;
    return !model.isObserved && this.#isEarly(promptTokens, model.responseMax, now);
  }

  /** Whether one more may come although nothing is known of its length; not once the engine has thrashed. */
  #isEarly(promptTokens: number, responseMax: number, now: number): boolean {
    if (this.credit.value < 1) return false;
    if (this.live(now) + promptTokens > UNKNOWN_FILL * this.kvTokens) return false;
    return (this.holdings.size + 1) * (promptTokens + responseMax) <= UNKNOWN_OVER * this.kvTokens;
  }

  /** Tokens that the forecast may come to. */
  get promised(): number {
    return PROMISED * this.credit.value * this.kvTokens;
  }

  /** Tokens to reserve for a turn from `promptTokens` on. */
  need(promptTokens: number, maxTokens: number): number {
    return promptTokens + Math.min(maxTokens, Math.ceil(this.#turnTokens / this.#turns));
  }

  fits(need: number): boolean {
    return this.running === 0 || this.reserved + need <= this.kvTokens;
  }

  begin(holding: Holding, maxTokens: number, now: number): void {
    const reserved = this.need(holding.tokens, maxTokens);
    holding.running = { startedAt: now, maxTokens, reserved };
    this.running += 1;
    this.reserved += reserved;
  }

  /** The turn is over with `written` tokens, or has failed with null. */
  end(holding: Holding, written: number | null, now: number): void {
    const { running } = holding;
    if (running === null) return;
    holding.running = null;
    this.running -= 1;
    this.reserved -= running.reserved;
    if (written === null) return;
    holding.tokens += written;
    this.#failures = 0;
    this.#sawTurn(written);
    const speed = written / Math.max(1, now - running.startedAt);
    this.#speed = this.#speed === 0 ? speed : this.#speed + EWMA * (speed - this.#speed);
  }

  /** Over a whole step's turns and more: the last ones of a step are the long ones, and alone would tell too much. */
  #sawTurn(written: number): void {
    this.#turns += 1;
    this.#turnTokens += written;
    if (this.#turns <= TURNS_REMEMBERED) return;
    this.#turns /= 2;
    this.#turnTokens /= 2;
  }

  /** The engine failed a turn. It is left alone for a while, longer each time. */
  fail(now: number): void {
    if (!this.isUp(now)) return;
    this.downUntil = now + Math.min(REST_MAX_MS, REST_MS * 2 ** this.#failures);
    this.#failures += 1;
  }

  #tokensNow({ tokens, running }: Holding, now: number): number {
    if (running === null) return tokens;
    return tokens + Math.min(running.maxTokens, this.#speed * (now - running.startedAt));
  }
}
