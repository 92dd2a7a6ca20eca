/**
 * The cases of one verification as they are decided, in whatever order that is. Pure.
 *
 * Invariant: the verdict is that of the first case, in the order given, that failed; so it does not depend on which
 * cases ran at the same time, nor on whether those after it ran at all.
 */
import type { CaseVerdict, VerdictName } from "../contract/verdict.ts";

/** Whether a verdict is a failure of the program, which no other case can mend. */
const isFailure = (verdict: VerdictName): boolean => verdict !== "accepted" && verdict !== "excluded";

const OUT_OF_TIME = "the cases together took longer than total_wall_ms";

export interface BookRules {
  readonly total: number;
  readonly stopAtFirstFailure: boolean;
  /** Milliseconds; null for no bound. */
  readonly totalWallMs: number | null;
}

export interface Summary {
  readonly verdict: VerdictName;
  /** The case that decided, if it was one. */
  readonly by: CaseVerdict | null;
  readonly passed: number;
}

export class CaseBook {
  readonly #rules: BookRules;
  readonly #decided = new Map<number, CaseVerdict>();
  /** Cases decided without a gap from the first on, and their wall time. */
  #counted = 0;
  #spentMs = 0;
  #last: number;

  constructor(rules: BookRules) {
    this.#rules = rules;
    this.#last = rules.total - 1;
  }

  /** The last case that can still matter. */
  get last(): number {
    return this.#last;
  }

  add(one: CaseVerdict): void {
    if (one.index > this.#last) return;
    this.#decided.set(one.index, one);
    if (this.#rules.stopAtFirstFailure && isFailure(one.verdict)) this.#last = one.index;
    this.#count();
  }

  /** What was decided, in order, up to the last case that matters. */
  cases(): CaseVerdict[] {
    return [...this.#decided.values()]
      .filter(({ index }) => index <= this.#last)
      .toSorted((a, b) => a.index - b.index);
  }

  summary(): Summary {
    const cases = this.cases();
    const passed = cases.filter(({ verdict }) => verdict === "accepted").length;
    const by =
      cases.find(({ verdict }) => isFailure(verdict)) ??
      cases.find(({ verdict }) => verdict === "excluded") ??
      null;
    if (by !== null) return { verdict: by.verdict, by, passed };
    // A case without a verdict was given up.
    return { verdict: passed === this.#rules.total ? "accepted" : "excluded", by: null, passed };
  }

  /** Charges the time of the cases in their order, not in that of their ends. */
  #count(): void {
    const { totalWallMs } = this.#rules;
    for (;;) {
      const one = this.#counted <= this.#last ? this.#decided.get(this.#counted) : undefined;
      if (one === undefined) return;
      this.#counted += 1;
      this.#spentMs += one.wall_ms;
      if (totalWallMs === null || this.#spentMs <= totalWallMs) continue;
      if (one.verdict === "accepted")
        this.#decided.set(one.index, { ...one, verdict: "limit", detail: OUT_OF_TIME });
      this.#last = one.index;
    }
  }
}
