/**
 * Who goes where, decided anew at every change: the turns that wait come first, then the queue of those that have no
 * place, in the order of their groups. Nothing here is asynchronous but the promises that it settles.
 */
import { EngineAccount, type Holding } from "./engine-account.ts";
import { createLengthModel, type LengthModel } from "./length-model.ts";
import type { Clock, FleetEngine } from "./ports.ts";
import { StepRecord } from "./step-record.ts";

/** A trajectory moves when its engine has more turns than the idlest by this factor and by this number. */
const SKEW_FACTOR = 1.5;
const SKEW_TURNS = 8;
/** The lengths are looked at anew each time so many rollouts have ended. */
const LEARN_EVERY = 16;
/** A turn held for this long goes before smaller ones. Milliseconds. */
const AGED_MS = 30_000;

export interface DispatchOptions {
  readonly engines: readonly FleetEngine[];
  readonly clock: Clock;
  readonly responseTokensMax: number;
  readonly trajectoriesMax: number;
  readonly pollMs: number;
}

/** A trajectory that has a place. */
export interface Ticket extends Holding {
  home: EngineAccount;
  isClosed: boolean;
  /** Its last turn was written to its end. */
  isWhole: boolean;
}

interface Queued {
  readonly group: number;
  readonly promptTokens: number;
  readonly since: number;
  readonly seat: (ticket: Ticket) => void;
}

interface WaitingTurn {
  readonly ticket: Ticket;
  readonly maxTokens: number;
  readonly since: number;
  readonly begin: (engine: FleetEngine) => void;
}

export class Dispatch {
  readonly #options: DispatchOptions;
  readonly #accounts: readonly EngineAccount[];
  readonly #record: StepRecord;
  #model: LengthModel;
  #queue: Queued[] = [];
  #waiting: WaitingTurn[] = [];
  readonly #groups = new Map<string, number>();
  /** Response lengths of rollouts that ended, in the step before and in this one. */
  #lengthsBefore: readonly number[] = [];
  #lengths: number[] = [];
  #isHeld = false;
  #onQuiet: (() => void)[] = [];
  #cancelPoll: (() => void) | null = null;
  #cancelWake: (() => void) | null = null;

  constructor(options: DispatchOptions) {
    this.#options = options;
    this.#accounts = options.engines.map((engine) => new EngineAccount(engine));
    this.#model = createLengthModel([], [], options.responseTokensMax);
    this.#record = new StepRecord({
      accounts: this.#accounts,
      clock: options.clock,
      pollMs: options.pollMs,
      queued: () => this.#queue.length,
    });
    if (this.#accounts.some(({ isUnasked }) => isUnasked)) void this.#observe();
  }

  /** Waits for a place. @throws what `signal` is aborted with */
  admit(
    { group, promptTokens }: { readonly group: string; readonly promptTokens: number },
    signal: AbortSignal | undefined,
  ): Promise<Ticket> {
    const order = this.#groups.get(group) ?? this.#groups.size;
    this.#groups.set(group, order);
    return this.#wait(signal, (resolve) => {
      const queued = { group: order, promptTokens, since: this.#now(), seat: resolve };
      const after = this.#queue.findLastIndex((one) => one.group <= order);
      this.#queue.splice(after + 1, 0, queued);
      return () => {
        this.#queue = this.#queue.filter((one) => one !== queued);
      };
    });
  }

  /** Waits until a turn from `promptTokens` on may run. @returns where; `ended` must follow */
  turn(
    ticket: Ticket,
    promptTokens: number,
    maxTokens: number,
    signal: AbortSignal | undefined,
  ): Promise<FleetEngine> {
    if (ticket.isClosed) throw new Error("the seat is closed");
    if (ticket.running !== null) throw new Error("a trajectory has one turn at a time");
    ticket.tokens = promptTokens;
    return this.#wait(signal, (resolve) => {
      const turn = { ticket, maxTokens, since: this.#now(), begin: resolve };
      this.#waiting.push(turn);
      ticket.home.waiting += 1;
      return () => {
        if (!this.#waiting.includes(turn)) return;
        this.#waiting = this.#waiting.filter((one) => one !== turn);
        ticket.home.waiting -= 1;
      };
    });
  }

  /** The turn is over with `written` tokens, or without any: null. */
  ended(ticket: Ticket, written: number | null): void {
    ticket.home.end(ticket, written, this.#now());
    ticket.isWhole = written !== null;
    if (written !== null) this.#record.tally.turns += 1;
    if (this.#isHeld && this.#accounts.every(({ running }) => running === 0)) {
      for (const quiet of this.#onQuiet.splice(0)) quiet();
    }
    this.#pump();
  }

  /** The engine failed the turn of `ticket`, for a reason that is its own. */
  failed({ home }: Ticket, reason: string): void {
    const now = this.#now();
    if (home.isUp(now)) this.#record.note("down", home, reason);
    home.fail(now);
  }

  close(ticket: Ticket): void {
    if (ticket.isClosed) return;
    ticket.isClosed = true;
    const { home } = ticket;
    // One that was given up says nothing about lengths.
    if (ticket.isWhole) this.#lengths.push(ticket.tokens - ticket.promptTokens);
    if (this.#lengths.length % LEARN_EVERY === 0 && this.#queue.length > 0) this.#learn();
    this.#record.tally.trajectories += 1;
    home.credit.ended({ inFlight: home.holdings.size, isBinding: this.#queue.length > 0, now: this.#now() });
    home.holdings.delete(ticket);
    this.#pump();
  }

  endStep(): ReturnType<StepRecord["take"]> {
    const { metrics, timeline } = this.#record.take();
    const { mean, isObserved } = this.#model;
    if (this.#lengths.length > 0) {
      this.#lengthsBefore = this.#lengths;
      this.#lengths = [];
      this.#learn();
    }
    if (this.#queue.length === 0) this.#groups.clear();
    return {
      metrics: {
        ...metrics,
        "scheduler/length_model/mean": mean,
        "scheduler/length_model/observed": Number(isObserved),
      },
      timeline,
    };
  }

  beginStage(responseTokensMax: number): void {
    this.#model = createLengthModel([], [], responseTokensMax);
    this.#lengthsBefore = [];
    this.#lengths = [];
    for (const { credit } of this.#accounts) credit.reset();
    this.#pump();
  }

  hold(): Promise<void> {
    this.#isHeld = true;
    if (this.#accounts.every(({ running }) => running === 0)) return Promise.resolve();
    return new Promise((resolve) => this.#onQuiet.push(resolve));
  }

  resume(): void {
    this.#isHeld = false;
    this.#pump();
  }

  stop(): void {
    this.#record.stop();
    this.#cancelPoll?.();
    this.#cancelWake?.();
    this.#cancelPoll = null;
    this.#cancelWake = null;
  }

  #now(): number {
    return this.#options.clock.now();
  }

  /** A promise that `enter` makes somebody settle; an abort takes it out again. */
  #wait<T>(signal: AbortSignal | undefined, enter: (resolve: (value: T) => void) => () => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = (): void => {
        leave();
        reject(signal?.reason as Error);
        this.#pump();
      };
      const leave = enter((value) => {
        signal?.removeEventListener("abort", onAbort);
        resolve(value);
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#poll();
      this.#record.follow();
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isHeld) return;
    this.#beginTurns();
    this.#seatQueued();
    this.#wakeLater();
  }

  #beginTurns(): void {
    const now = this.#now();
    for (const { ticket } of this.#waiting) this.#place(ticket, now);
    const isAged = ({ since }: WaitingTurn): number => Number(now - since > AGED_MS);
    this.#waiting.sort(
      (left, right) =>
        isAged(right) - isAged(left) ||
        (isAged(left) === 1 ? left.since - right.since : left.ticket.tokens - right.ticket.tokens),
    );
    /** Engines whose turn at the head waits for room: later ones must not take it. */
    const full = new Set<EngineAccount>();
    this.#waiting = this.#waiting.filter((turn) => {
      const { ticket, maxTokens, since, begin } = turn;
      const { home } = ticket;
      if (full.has(home) || !home.isUp(now)) return true;
      if (!home.fits(home.need(ticket.tokens, maxTokens))) {
        full.add(home);
        return true;
      }
      home.waiting -= 1;
      home.begin(ticket, maxTokens, now);
      this.#record.tally.turnWait.add((now - since) / 1000);
      begin(home.engine);
      return false;
    });
  }

  /** Moves a trajectory whose engine is down, or much busier than the idlest. */
  #place(ticket: Ticket, now: number): void {
    const { home } = ticket;
    const turnsOf = ({ running, waiting }: EngineAccount): number => running + waiting;
    const others = this.#accounts.filter((one) => one !== home && one.isUp(now));
    const idlest = others.toSorted((left, right) => turnsOf(left) - turnsOf(right))[0];
    if (idlest === undefined) return;
    const isRescue = !home.isUp(now);
    const isSkewed =
      turnsOf(home) > SKEW_FACTOR * turnsOf(idlest) && turnsOf(home) - turnsOf(idlest) > SKEW_TURNS;
    if (!isRescue && !(isSkewed && idlest.live(now) + ticket.tokens <= idlest.kvTokens)) return;
    home.holdings.delete(ticket);
    home.waiting -= 1;
    ticket.home = idlest;
    idlest.holdings.add(ticket);
    idlest.waiting += 1;
    this.#record.tally[isRescue ? "rescued" : "repinned"] += 1;
    this.#record.note("repinned", idlest, `from ${home.engine.name}${isRescue ? ", which is down" : ""}`);
  }

  #seatQueued(): void {
    const now = this.#now();
    for (;;) {
      const next = this.#queue[0];
      if (next === undefined) return;
      const share = ({ holdings, kvTokens }: EngineAccount): number =>
        kvTokens === Infinity ? holdings.size : holdings.size / kvTokens;
      const home = this.#accounts
        .filter((one) => one.isUp(now) && one.holdings.size < this.#options.trajectoriesMax)
        .toSorted((left, right) => share(left) - share(right))
        .find((one) => one.admits(next.promptTokens, this.#model, now));
      if (home === undefined) return;
      this.#queue.shift();
      const { promptTokens } = next;
      const ticket: Ticket = {
        home,
        promptTokens,
        tokens: promptTokens,
        running: null,
        isClosed: false,
        isWhole: false,
      };
      home.holdings.add(ticket);
      this.#record.tally.queueWait.add((now - next.since) / 1000);
      next.seat(ticket);
    }
  }

  /** Looks again when an engine's rest is over, if somebody waits for that. */
  #wakeLater(): void {
    const now = this.#now();
    const rests = this.#accounts.map(({ downUntil }) => downUntil - now).filter((rest) => rest > 0);
    const waits = this.#queue.length > 0 || this.#waiting.length > 0;
    if (this.#cancelWake !== null || rests.length === 0 || !waits) return;
    this.#cancelWake = this.#options.clock.after(Math.min(...rests), () => {
      this.#cancelWake = null;
      this.#pump();
    });
  }

  /** Asks the engines for their load for as long as anything is in flight. */
  #poll(): void {
    if (this.#cancelPoll !== null) return;
    this.#cancelPoll = this.#options.clock.after(this.#options.pollMs, () => {
      this.#cancelPoll = null;
      void this.#observe();
      const isIdle = this.#queue.length === 0 && this.#accounts.every(({ holdings }) => holdings.size === 0);
      if (!isIdle) this.#poll();
    });
  }

  #learn(): void {
    const inFlight = this.#accounts.flatMap(({ holdings }) =>
      [...holdings].map(({ tokens, promptTokens }) => tokens - promptTokens),
    );
    const { isObserved, responseMax } = this.#model;
    this.#model = createLengthModel([...this.#lengthsBefore, ...this.#lengths], inFlight, responseMax);
    // What was learned about forecasts that knew nothing does not hold for those that know something.
    if (!isObserved && this.#model.isObserved) for (const { credit } of this.#accounts) credit.reset();
  }

  async #observe(): Promise<void> {
    await Promise.all(
      this.#accounts.map(async (account) => {
        const load = await account.engine.load?.().catch(() => null);
        account.isUnasked = false;
        if (load === null || load === undefined) return;
        const now = this.#now();
        account.kvTokens = account.engine.kvTokens ?? load.kvTokens ?? Infinity;
        account.kvUsage = load.kvUsage;
        const fits = account.peak(this.#model, now) <= account.promised;
        const before = account.credit.preempted;
        account.credit.observe(load, { now, fits });
        const preempted = account.credit.preempted - before;
        this.#record.tally.preemptions += preempted;
        if (preempted > 0) this.#record.note("preempted", account, `${preempted} requests`);
      }),
    );
    this.#pump();
  }
}
