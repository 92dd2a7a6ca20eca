/**
 * Verdicts on top of any Executor: what needs no sandbox is judged here, the rest is run as calls like any others.
 * What is expected is compared in this process and goes into no call that holds a program of the caller.
 */
import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { checkVerification } from "../contract/check-verification.ts";
import { SandboxError } from "../contract/errors.ts";
import type { ExecuteOptions, Executor } from "../contract/executor.ts";
import type { LimitPolicy } from "../contract/limits.ts";
import { rewardOf, type Verdict, type VerdictName } from "../contract/verdict.ts";
import type { FunctionCheck, MathCheck, StdioCheck, Verification } from "../contract/verification.ts";
import type { VerdictItem, Verifier } from "../contract/verifier.ts";
import { CallLane, pointed } from "./call-lane.ts";
import { judgeExact, judgeNumeric, type Judged } from "./exact.ts";
import { planFunction } from "./function-call.ts";
import { planMath } from "./math.ts";
import type { Plan } from "./plan.ts";
import { NO_USAGE, runCases, type RunCall } from "./run-cases.ts";
import { runOfOne } from "./run-plan.ts";
import type { Deadline } from "./scheduling.ts";
import { planStdio } from "./stdio.ts";
import { VerdictBatch } from "./verdict-batch.ts";

export interface VerifierOptions {
  /** Wall time of a `math` check that asks for no limit. Milliseconds. Default: 5000. */
  readonly mathWallMs?: number;
  /** Verifications in one batch. Default: 20,000. */
  readonly batchMax?: number;
  /** Calls of one request that are in the queue or running at once. Default: 256. */
  readonly callsMax?: number;
  /** Milliseconds on a clock that never steps back. */
  readonly now?: () => number;
}

type Settings = Required<VerifierOptions>;

const DEFAULTS = {
  mathWallMs: 5000,
  batchMax: 20_000,
  callsMax: 256,
  now: () => performance.now(),
} satisfies Settings;

/** Checks without a sandbox after which others have their turn of the event loop. */
const CHECKS_PER_TURN = 64;

const GIVEN_UP = "the verification was given up";

function verdictOf(
  { id, kind }: Verification,
  verdict: VerdictName,
  more: Pick<Verdict, "detail"> & Partial<Verdict>,
): Verdict {
  return {
    id: id ?? randomUUID(),
    kind,
    verdict,
    reward: rewardOf(verdict),
    outcome: null,
    passed: verdict === "accepted" ? 1 : 0,
    total: 1,
    cases: [],
    usage: NO_USAGE,
    ...more,
  };
}

function judgedHere(verification: Verification, { verdict, detail }: Judged): Verdict {
  return verdictOf(verification, verdict, { detail });
}

async function judgePlan(
  verification: Verification,
  plan: Plan,
  run: RunCall,
  signal: AbortSignal | undefined,
): Promise<Verdict> {
  const { book, usage, outcome } = await runCases(plan, run, signal);
  const { verdict, by, passed } = book.summary();
  const hasCases = verification.kind === "stdio" || verification.kind === "function";
  const detail = by === null ? (verdict === "excluded" ? GIVEN_UP : null) : by.detail;
  return verdictOf(verification, verdict, {
    outcome: by?.outcome ?? outcome,
    detail: hasCases && by !== null ? `case ${by.index}: ${detail}` : detail,
    passed,
    total: plan.total,
    cases: hasCases ? book.cases() : [],
    usage,
  });
}

/** The same check gives the same verdict: a fork of the same interpreter with nothing random in it. */
function sameMath({ answer, expected, limits, priority, ...rest }: MathCheck): string {
  const { id: _id, ...options } = rest;
  return JSON.stringify([answer, expected, limits, priority, options]);
}

class LocalVerifier implements Verifier {
  readonly #executor: Executor;
  readonly #settings: Settings;

  constructor(executor: Executor, settings: Settings) {
    this.#executor = executor;
    this.#settings = settings;
  }

  async verify(verification: Verification, options: ExecuteOptions = {}): Promise<Verdict> {
    checkVerification(verification);
    return this.#judge(
      verification,
      runOfOne(this.#executor, options, this.#settings.callsMax),
      options.signal,
    );
  }

  async verifyBatch(
    verifications: readonly Verification[],
    options: ExecuteOptions = {},
  ): Promise<AsyncIterable<VerdictItem>> {
    this.#checkBatch(verifications);
    // A reader that stops gives up what it has not read.
    const stopped = new AbortController();
    const signal =
      options.signal === undefined ? stopped.signal : AbortSignal.any([options.signal, stopped.signal]);
    const lane = this.#lane(options, () => batch.hasBegun);
    const known = new Map<string, Promise<Verdict>>();
    let judged = 0;
    const batch: VerdictBatch = new VerdictBatch({
      total: verifications.length,
      lanes: this.#settings.callsMax,
      stop: () => stopped.abort(),
      judge: async (index) => {
        if (++judged % CHECKS_PER_TURN === 0) await turn();
        const verification = verifications[index] as Verification;
        if (signal.aborted) return verdictOf(verification, "excluded", { detail: GIVEN_UP });
        try {
          return await this.#judgeOnce(verification, lane.run, signal, known);
        } catch (error) {
          // Overload before the first verdict refuses the batch; what no call can be made of has its verdict too.
          if (!(error instanceof SandboxError)) throw error;
          const isOfOne = error.fault === "caller" || error.code === "deadline_unmeetable";
          if (!isOfOne && !batch.hasBegun)
            throw pointed(error, (pointer) => `/verifications/${index}${pointer}`);
          return verdictOf(verification, "excluded", { detail: `${error.code}: ${error.message}` });
        }
      },
    });
    await batch.begun();
    return batch;
  }

  /** The same check of a batch is made once. */
  async #judgeOnce(
    verification: Verification,
    run: RunCall,
    signal: AbortSignal,
    known: Map<string, Promise<Verdict>>,
  ): Promise<Verdict> {
    if (verification.kind !== "math" || verification.deadline_ms !== undefined)
      return this.#judge(verification, run, signal);
    const key = sameMath(verification);
    const pending = known.get(key);
    if (pending !== undefined) {
      const earlier = await pending;
      // What was excluded says nothing about the next one.
      if (earlier.verdict !== "excluded")
        return { ...earlier, id: verification.id ?? randomUUID(), usage: NO_USAGE };
    }
    const judged = this.#judge(verification, run, signal);
    known.set(key, judged);
    return judged;
  }

  async #judge(verification: Verification, run: RunCall, signal: AbortSignal | undefined): Promise<Verdict> {
    if (verification.kind === "exact") return judgedHere(verification, judgeExact(verification));
    if (verification.kind === "numeric") return judgedHere(verification, judgeNumeric(verification));
    return judgePlan(verification, this.#planOf(verification), run, signal);
  }

  #planOf(verification: MathCheck | StdioCheck | FunctionCheck): Plan {
    const deadline = this.#deadline(verification);
    if (verification.kind === "math") return planMath(verification, deadline, this.#settings.mathWallMs);
    if (verification.kind === "stdio") return planStdio(verification, deadline);
    return planFunction(verification, deadline);
  }

  #deadline({ deadline_ms }: { readonly deadline_ms?: number }): Deadline {
    const { now } = this.#settings;
    return { now, atMs: deadline_ms === undefined ? null : now() + deadline_ms };
  }

  #lane({ tenant }: ExecuteOptions, hasBegun: () => boolean): CallLane {
    return new CallLane(this.#executor, { places: this.#settings.callsMax, tenant, hasBegun });
  }

  #checkBatch(verifications: readonly Verification[]): void {
    const { batchMax } = this.#settings;
    if (verifications.length === 0)
      throw new SandboxError("invalid_call", "a batch has at least one verification", {
        path: "/verifications",
      });
    if (verifications.length > batchMax)
      throw new SandboxError(
        "batch_too_long",
        `${verifications.length} verifications, the most in one batch is ${batchMax}`,
        { path: "/verifications" },
      );
    for (const [index, one] of verifications.entries()) checkVerification(one, `/verifications/${index}`);
  }
}

/** The options of a service with this configuration. */
export function verifierOptions({
  verify,
  limits,
}: {
  readonly verify: Required<Pick<VerifierOptions, "mathWallMs" | "batchMax" | "callsMax">>;
  readonly limits: LimitPolicy;
}): VerifierOptions {
  return { ...verify, mathWallMs: Math.min(verify.mathWallMs, limits.ceiling.wall_ms) };
}

/** A Verifier whose runs are calls of `executor`, of whichever kind that is; closing it stays the caller's. */
export function createVerifier(executor: Executor, options: VerifierOptions = {}): Verifier {
  return new LocalVerifier(executor, { ...DEFAULTS, ...options });
}
