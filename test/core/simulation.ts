/**
 * One schedule: an executor over an engine that fails by the throw of a die, callers that come, join, leave and wait,
 * and an end by drain or close at any moment. Everything follows from the seed.
 */
import type { Call } from "../../src/contract/call.ts";
import { SandboxError } from "../../src/contract/errors.ts";
import type { BatchItem } from "../../src/contract/executor.ts";
import type { Result } from "../../src/contract/result.ts";
import type { LocalExecutor } from "../../src/core/local-executor.ts";
import { counting, executorOf, total } from "./builders.ts";
import { type FaultRates, FaultyEngine, NO_FAULTS, type Random, seeded } from "./faulty-engine.ts";
import { settled, VirtualTime } from "./virtual-time.ts";

/** One call that was asked for, and what came back. */
interface Asked {
  readonly call: Call;
  readonly tenant: string;
  readonly askedMs: number;
  /** Shared by the calls of one batch; null for a caller who never leaves. */
  readonly leaving: AbortController | null;
  /** When its caller left, if it did. */
  leftMs: number | null;
  answers: number;
  result: Result | null;
  answeredMs: number;
  refusal: unknown;
  /** Its batch's reader stopped before. */
  unread: boolean;
}

/** Ends of a call whose first run failed. */
export const REPEATED_ENDS = [
  "answered by its second run",
  "failed twice",
  "given up before it was run again",
  "given up in its second run",
  "deadline before it was run again",
  "deadline in its second run",
] as const;
type RepeatedEnd = (typeof REPEATED_ENDS)[number];

/** No call may take longer than this: two runs to the wall limit and silence after each, and outages between. */
const LONG_MS = 3_600_000;
const TENANTS = ["ann", "bob", "cid"];

function randomRates(random: Random): FaultRates {
  const level = [0, 0.05, 0.3, 0.8][Math.floor(random() * 4)] as number;
  const rate = (share: number): number => level * share * random();
  return {
    run: {
      fault: rate(0.4),
      bug: rate(0.2),
      throws: rate(0.2),
      nonsense: rate(0.1),
      unasked_cancel: rate(0.1),
      deaf: rate(0.2),
      until_signal: rate(0.3),
      until_close: rate(0.1),
      after_close: rate(0.1),
    },
    open: { refused: rate(0.6), bug: rate(0.2), hangs: rate(0.1), late: rate(0.1) },
    close: { rejects: rate(0.2), hangs: rate(0.2), slow: rate(0.3) },
  };
}

export class Simulation {
  readonly time = new VirtualTime();
  readonly random: Random;
  readonly engine: FaultyEngine;
  readonly executor: LocalExecutor;
  readonly counts;
  readonly asked: Asked[] = [];
  readonly problems: string[] = [];
  /** How calls ended that were hit by a fault of ours. */
  readonly ends = new Map<RepeatedEnd, number>();
  #names = 0;
  /** The start failed. */
  #dead = false;
  /** When everybody was given up, if ever. */
  #endedMs: number | null = null;

  constructor(seed: number) {
    this.random = seeded(seed);
    const { observer, counts } = counting();
    this.counts = counts;
    this.engine = new FaultyEngine(1 + Math.floor(this.random() * 4), this.random);
    this.engine.rates = randomRates(this.random);
    const tight = this.random() < 0.3;
    this.executor = executorOf(this.engine, {
      queue: { callsMax: tight ? 4 : 1000, bytesMax: 1 << 24, batchCallsMax: 8 },
      observer,
      now: this.time.now,
    });
  }

  /** Runs the schedule and tells what went wrong in it. */
  async run(): Promise<readonly string[]> {
    await this.time.during(this.problems, async () => {
      let starting = true;
      this.executor.start().then(
        () => (starting = false),
        (error: unknown) => {
          starting = false;
          this.#dead = true;
          if (!(error instanceof SandboxError) || error.code !== "engine_unavailable") {
            this.problems.push(`start rejected with ${String(error)}`);
          }
        },
      );
      if (this.random() < 0.8) await this.time.advanceUntil(() => this.executor.ready(), LONG_MS);
      await this.#act();
      await this.#end();
      if (starting) this.problems.push("start neither resolved nor rejected");
    });
    this.#judge();
    return this.problems;
  }

  async #act(): Promise<void> {
    const steps = 3 + Math.floor(this.random() * 30);
    for (let step = 0; step < steps; step++) {
      const die = this.random();
      if (die < 0.5) this.#one(this.#newCall());
      else if (die < 0.55) this.engine.endContainer();
      else if (die < 0.65) this.#batch();
      else if (die < 0.72) this.#join();
      else if (die < 0.9) this.#leave(this.asked[Math.floor(this.random() * this.asked.length)]);
      else await this.time.advance(this.random() * 40_000);
      if (this.random() < 0.5) await this.time.advance(this.random() * 300);
      else await settled();
    }
  }

  #newCall(): Call {
    const name = `call-${this.#names++}`;
    return {
      runtime: this.random() < 0.8 ? "python" : "node",
      source: name,
      priority: (["high", "normal", "low"] as const)[Math.floor(this.random() * 3)] as "high",
      limits: { wall_ms: 1 + Math.floor(this.random() * 2000) },
      ...(this.random() < 0.5 ? { id: name } : {}),
      ...(this.random() < 0.2 ? { deadline_ms: 1 + Math.floor(this.random() * 20_000) } : {}),
    };
  }

  #note(call: Call, tenant: string, leaving: AbortController | null): Asked {
    const asked: Asked = {
      call,
      tenant,
      askedMs: this.time.now(),
      leaving,
      leftMs: null,
      answers: 0,
      result: null,
      answeredMs: Number.NaN,
      refusal: null,
      unread: false,
    };
    this.asked.push(asked);
    return asked;
  }

  #answered(asked: Asked, result: Result): void {
    asked.answers++;
    asked.result = result;
    asked.answeredMs = this.time.now();
  }

  #one(call: Call, tenant = TENANTS[Math.floor(this.random() * 3)] as string): void {
    const leaving = this.random() < 0.8 ? new AbortController() : null;
    const asked = this.#note(call, tenant, leaving);
    this.executor.execute(call, { tenant, ...(leaving === null ? {} : { signal: leaving.signal }) }).then(
      (result) => this.#answered(asked, result),
      (error: unknown) => (asked.refusal = error),
    );
  }

  #join(): void {
    const named = this.asked.filter(({ call }) => call.id !== undefined);
    const other = named[Math.floor(this.random() * named.length)];
    if (other === undefined) return;
    const same = this.random() < 0.8;
    this.#one(structuredClone(same ? other.call : { ...other.call, args: ["other"] }), other.tenant);
  }

  #batch(): void {
    const tenant = TENANTS[Math.floor(this.random() * 3)] as string;
    const leaving = new AbortController();
    const all = Array.from({ length: 1 + Math.floor(this.random() * 8) }, () =>
      this.#note(this.#newCall(), tenant, leaving),
    );
    const stopAfter = this.random() < 0.3 ? Math.floor(this.random() * all.length) : all.length;
    void this.#readBatch(all, tenant, leaving.signal, stopAfter);
  }

  async #readBatch(
    all: readonly Asked[],
    tenant: string,
    signal: AbortSignal,
    stopAfter: number,
  ): Promise<void> {
    try {
      const items: AsyncIterable<BatchItem> = await this.executor.executeBatch(
        all.map(({ call }) => call),
        { tenant, signal },
      );
      let read = 0;
      for await (const { index, result } of items) {
        this.#answered(all[index] as Asked, result);
        if (++read > stopAfter) break;
      }
      for (const asked of all) asked.unread = asked.answers === 0 && read > stopAfter;
      if (read !== Math.min(all.length, stopAfter + 1))
        this.problems.push(`a batch of ${all.length} gave ${read}`);
    } catch (error) {
      for (const asked of all) asked.refusal = error;
    }
  }

  #leave(asked: Asked | undefined): void {
    if (asked?.leaving === undefined || asked.leaving === null) return;
    asked.leaving.abort();
    for (const one of this.asked) if (one.leaving === asked.leaving) one.leftMs ??= this.time.now();
  }

  async #end(): Promise<void> {
    const faultsStop = this.random() < 0.7;
    if (faultsStop) {
      this.engine.rates = NO_FAULTS;
      if (!(await this.time.advanceUntil(() => this.#allAnswered() && this.#whole(), LONG_MS))) {
        this.problems.push(
          `stuck: ${this.#unanswered()}; slots ${JSON.stringify(this.executor.observed().slots)}`,
        );
      }
    } else if (this.random() < 0.5) {
      await this.time.advance(this.random() * 5_000);
    }
    const drainMs = this.random() * 10_000;
    if (this.random() < 0.5) {
      let drained = false;
      if (!faultsStop) setTimeout(() => (this.#endedMs = this.time.now()), drainMs - 0.001).unref();
      void this.executor.drain(drainMs).then(() => (drained = true));
      if (!(await this.time.advanceUntil(() => drained, LONG_MS))) this.problems.push("drain does not end");
      const { queuedCalls, runningCalls } = this.executor.observed();
      if (queuedCalls + runningCalls > 0 && faultsStop) this.problems.push("in flight after drain");
      if (queuedCalls > 0) this.problems.push("queued after drain");
    }
    await this.#close();
  }

  async #close(): Promise<void> {
    let closed = false;
    void this.executor.close().then(() => (closed = true));
    if (!(await this.time.advanceUntil(() => closed, LONG_MS))) {
      this.problems.push(`close does not end: ${this.#unanswered()}`);
    }
    if (this.time.held > 0) this.problems.push(`${this.time.held} timers keep the process after close`);
    if (!this.engine.closed) this.problems.push("the engine was not closed");
    // What was slow to open comes after the end.
    await this.time.advance(LONG_MS);
    if (this.time.pending > 0) this.problems.push(`${this.time.pending} timers are left an hour after close`);
    if (this.engine.sandboxes.size > 0)
      this.problems.push(`${this.engine.sandboxes.size} sandboxes are left open`);
  }

  #allAnswered(): boolean {
    return this.asked.every((asked) => this.#over(asked));
  }

  /** Answered, refused, or of a batch that nobody reads any more. */
  #over(asked: Asked): boolean {
    return asked.answers > 0 || asked.refusal !== null || asked.unread;
  }

  #unanswered(): string {
    const waiting = this.asked.filter((asked) => !this.#over(asked));
    return `${waiting.length} calls without an answer (${waiting.map(({ call }) => call.source).join(", ")})`;
  }

  /** Every slot is ready for a call. */
  #whole(): boolean {
    if (this.#dead) return true;
    const { slots } = this.executor.observed();
    return slots.length === 1 && slots[0]?.state === "idle" && slots[0].count === this.engine.slots;
  }

  #judge(): void {
    this.problems.push(...this.engine.broken);
    if (this.counts.accepted !== total(this.counts.concluded)) {
      this.problems.push(`${this.counts.accepted} calls accepted, ${total(this.counts.concluded)} concluded`);
    }
    if (this.counts.granted > this.counts.accepted) this.problems.push("more grants than calls");
    const submissions = new Map<string, number>();
    for (const { call } of this.asked) submissions.set(call.source, (submissions.get(call.source) ?? 0) + 1);
    for (const [source, runs] of this.engine.runs) {
      if (runs > 2 * (submissions.get(source) ?? 0)) this.problems.push(`${source} was run ${runs} times`);
    }
    for (const asked of this.asked) {
      this.#judgeOne(asked);
      if (submissions.get(asked.call.source) === 1) this.#noteEnd(asked);
    }
  }

  #noteEnd({ call, result }: Asked): void {
    const failures = this.engine.faults.get(call.source) ?? 0;
    if (result === null || failures === 0) return;
    const end = repeatedEnd(result, this.engine.runs.get(call.source) ?? 0);
    if (end !== null) this.ends.set(end, (this.ends.get(end) ?? 0) + 1);
  }

  #judgeOne(asked: Asked): void {
    const { call, result, refusal } = asked;
    const wrong = (what: string): void => void this.problems.push(`${call.source}: ${what}`);
    if (asked.answers > 1) wrong(`${asked.answers} answers`);
    if (refusal !== null) {
      if (!(refusal instanceof SandboxError)) wrong("refused with something else than a SandboxError");
      if (result !== null) wrong("refused and answered");
      return;
    }
    if (result === null) {
      if (!asked.unread) wrong("no answer");
      return;
    }
    if (call.id !== undefined && result.id !== call.id) wrong(`got the answer of ${result.id}`);
    if (result.stdout !== "" && result.stdout !== call.source) wrong(`got the output of ${result.stdout}`);
    if (result.outcome === "completed" && result.stdout !== call.source)
      wrong("completed without its output");
    const { deadline_ms: deadlineMs } = call;
    if (result.outcome === "cancelled") {
      const late = deadlineMs !== undefined && asked.answeredMs >= deadlineMs;
      const ended = this.#endedMs !== null && asked.answeredMs >= this.#endedMs;
      if (asked.leftMs === null && !late && !ended) wrong(`cancelled for nothing: ${result.detail}`);
    }
    if (result.outcome === "sandbox_failed") {
      const outage = result.detail?.startsWith("no sandbox could be opened") ?? false;
      if (!outage && (this.engine.faults.get(call.source) ?? 0) < 2)
        wrong(`failed for nothing: ${result.detail}`);
      if (outage && this.engine.refused === 0) wrong("an outage of nothing");
    }
    const goneMs = Math.min(
      asked.leftMs ?? Infinity,
      deadlineMs === undefined ? Infinity : asked.askedMs + deadlineMs,
    );
    if (asked.answeredMs - goneMs > 30_000)
      wrong(`answered ${asked.answeredMs - goneMs} ms after it was given up`);
  }
}

function repeatedEnd({ outcome, detail }: Result, runs: number): RepeatedEnd | null {
  const why = detail?.includes("deadline_ms") === true ? "deadline" : "given up";
  if (outcome !== "cancelled") {
    if (runs < 2) return null;
    return outcome === "sandbox_failed" ? "failed twice" : "answered by its second run";
  }
  if (detail?.endsWith("before it was run again") === true) return `${why} before it was run again`;
  return runs === 2 ? `${why} in its second run` : null;
}
