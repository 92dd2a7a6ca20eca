/**
 * One schedule of sessions: tenants open, call, fork, leave and close them while sandboxes fail and containers end, until the
 * service drains. Everything follows from the seed.
 */
import { SandboxError } from "../../src/contract/errors.ts";
import type { Result } from "../../src/contract/result.ts";
import type { Session } from "../../src/contract/session.ts";
import type { LocalExecutor } from "../../src/core/local-executor.ts";
import { counting, executorOf, PYTHON, total } from "./builders.ts";
import { FaultySessions } from "./faulty-sessions.ts";
import { type Random, seeded } from "./faulty-engine.ts";
import { settled, VirtualTime } from "./virtual-time.ts";

const BOUNDS = {
  max: 8,
  tenantMax: 6,
  callsMax: 4,
  waitingMax: 5,
  idleMs: { default: 60_000, ceiling: 600_000 },
  totalMs: { default: 120_000, ceiling: 6_000_000 },
};
const LONG_MS = 3_600_000;
const TENANTS = ["ann", "bob"];
/** What a call or a fork may be refused with, when the session or the service is not what it was. */
const REFUSALS = new Set([
  "session_lost",
  "session_closed",
  "session_busy",
  "sessions_full",
  "fork_failed",
  "draining",
  "engine_unavailable",
]);

interface Known {
  readonly session: Session;
  /** Calls whose effects may be in it: its own, and its parent's from before its fork. */
  readonly sent: string[];
  lost: boolean;
}

export class SessionSimulation {
  readonly time = new VirtualTime();
  readonly problems: string[] = [];
  readonly engine: FaultySessions;
  readonly outcomes = new Map<string, number>();
  readonly #random: Random;
  readonly #executor: LocalExecutor;
  readonly #counts;
  readonly #known: Known[] = [];
  readonly #pending = new Set<string>();
  #opened = 0;
  #ended = 0;
  #names = 0;

  constructor(seed: number) {
    this.#random = seeded(seed);
    this.engine = new FaultySessions(this.#random);
    const level = [0, 0.02, 0.1, 0.3][Math.floor(this.#random() * 4)] as number;
    const rate = (share: number): number => level * share * this.#random();
    this.engine.rates = { fault: rate(1), silent: rate(0.3), died: rate(0.5), slow: rate(1) };
    const { observer, counts } = counting();
    this.#counts = counts;
    this.#executor = executorOf(this.engine, {
      runtimes: [PYTHON],
      sessions: BOUNDS,
      observer: {
        ...observer,
        sessionOpened: () => void this.#opened++,
        sessionEnded: () => void this.#ended++,
      },
      now: this.time.now,
    });
  }

  async run(): Promise<readonly string[]> {
    await this.time.during(this.problems, async () => {
      void this.#executor.start();
      await this.time.advance(1);
      await this.#act();
      await this.#end();
    });
    this.#judge();
    return this.problems;
  }

  async #act(): Promise<void> {
    const steps = 5 + Math.floor(this.#random() * 40);
    for (let step = 0; step < steps; step++) {
      const die = this.#random();
      const one = this.#known[Math.floor(this.#random() * this.#known.length)];
      if (one === undefined || die < 0.12) this.#open();
      else if (die < 0.7) this.#call(one);
      else if (die < 0.82) this.#fork(one);
      else if (die < 0.88) void one.session.close();
      else if (die < 0.92) this.engine.endContainer();
      else await this.time.advance(this.#random() * 70_000);
      if (this.#random() < 0.5) await this.time.advance(this.#random() * 200);
      else await settled();
    }
  }

  /** Notes that something was asked, and that its answer came, once. */
  #ask<T>(name: string, asked: Promise<T>, answered: (answer: T) => void): void {
    this.#pending.add(name);
    const end = (): void => {
      if (!this.#pending.delete(name)) this.problems.push(`${name} was answered twice`);
    };
    asked.then(
      (answer) => {
        end();
        answered(answer);
      },
      (error: unknown) => {
        end();
        if (!(error instanceof SandboxError) || !REFUSALS.has(error.code))
          this.problems.push(`${name} was refused with ${String(error)}`);
      },
    );
  }

  #open(): void {
    const tenant = TENANTS[Math.floor(this.#random() * TENANTS.length)] as string;
    const leaving = new AbortController();
    if (this.#random() < 0.1) setTimeout(() => leaving.abort(), this.#random() * 30).unref();
    this.#ask(
      `opening ${this.#names++}`,
      this.#executor.openSession({ runtime: "python" }, { tenant, signal: leaving.signal }),
      (session) => this.#known.push({ session, sent: [], lost: false }),
    );
  }

  #fork({ session, sent }: Known): void {
    const count = 1 + Math.floor(this.#random() * 3);
    const before = [...sent];
    this.#ask(`fork ${this.#names++}`, session.fork({ count }), (forks) => {
      if (forks.length !== count) this.problems.push(`${forks.length} forks of ${count}`);
      for (const fork of forks) this.#known.push({ session: fork, sent: [...before], lost: false });
    });
  }

  #call(one: Known): void {
    const name = `c${this.#names++}`;
    one.sent.push(name);
    const leaving = new AbortController();
    if (this.#random() < 0.2) setTimeout(() => leaving.abort(), this.#random() * 200).unref();
    const call = {
      source: name,
      mode: "script" as const,
      limits: { wall_ms: 1 + Math.floor(this.#random() * 2000) },
      ...(this.#random() < 0.2 ? { deadline_ms: 1 + Math.floor(this.#random() * 300) } : {}),
    };
    this.#ask(name, one.session.execute(call, { signal: leaving.signal }), (result) =>
      this.#judgeResult(name, one, result),
    );
  }

  #judgeResult(name: string, one: Known, { outcome, stdout, session, detail }: Result): void {
    const wrong = (what: string): void => void this.problems.push(`${name}: ${what}`);
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    if (session?.id !== one.session.id) wrong(`has the session ${session?.id}`);
    if (session?.state === "kept" && one.lost) wrong("a session that was lost is there again");
    if (session?.state === "lost") one.lost = true;
    if (outcome === "sandbox_failed" && session?.state !== "lost") wrong("failed, and the session is kept");
    if (outcome === "cancelled" && detail === null) wrong("cancelled without saying why");
    if (outcome !== "completed") return;
    const effects = stdout.split(" ");
    if (effects.at(-1) !== name) wrong(`prints the effects of another: ${stdout}`);
    // In the order in which they were sent, each at most once, and nobody else's.
    let at = -1;
    for (const effect of effects) {
      const place = one.sent.indexOf(effect);
      if (place <= at) wrong(`${effect} is out of order or of another session: ${stdout}`);
      at = place;
    }
  }

  async #end(): Promise<void> {
    let isOver = false;
    if (this.#random() < 0.5) void this.#executor.drain(this.#random() * 5_000).then(() => (isOver = true));
    else isOver = true;
    if (!(await this.time.advanceUntil(() => isOver, LONG_MS))) this.problems.push("drain does not end");
    isOver = false;
    void this.#executor.close().then(() => (isOver = true));
    if (!(await this.time.advanceUntil(() => isOver, LONG_MS))) this.problems.push("close does not end");
    // What was slow to come comes after the end.
    await this.time.advance(LONG_MS);
  }

  #judge(): void {
    this.problems.push(...this.engine.broken);
    const { accepted, concluded } = this.#counts;
    if (accepted !== total(concluded))
      this.problems.push(`${accepted} calls accepted, ${total(concluded)} concluded`);
    if (this.#opened !== this.#ended)
      this.problems.push(`${this.#opened} sessions were opened, ${this.#ended} ended`);
    if (this.#pending.size > 0) this.problems.push(`no answer to ${[...this.#pending].join(", ")}`);
    if (this.engine.open.size > 0) this.problems.push(`${this.engine.open.size} sandboxes are left open`);
    if (this.time.pending > 0) this.problems.push(`${this.time.pending} timers are left`);
    // What comes too late is nobody's, and counts for none of the places.
    if (this.engine.rates.silent === 0 && this.engine.mostOpen > BOUNDS.max)
      this.problems.push(`${this.engine.mostOpen} sandboxes were open at once, the most is ${BOUNDS.max}`);
    for (const [name, effects] of this.engine.effects)
      if (effects > 1) this.problems.push(`${name} took effect ${effects} times`);
  }
}
