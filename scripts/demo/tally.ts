/** Keeps count of the answers: every call answered once, and rightly. */
import { OUTCOME_NAMES, type Outcome } from "../../src/contract/outcome.ts";
import type { Result } from "../../src/contract/result.ts";
import { checkResult } from "../../workload/mix.ts";
import type { PlannedCall } from "./plan.ts";

export interface Row {
  expected: number;
  got: number;
  right: number;
}

/** How a call was sent: one of many requests, in a batch, or with nothing else under way. */
export type Way = "single" | "batch" | "alone";

/** Plain data: it crosses from the client process to the demo. */
export interface Report {
  readonly calls: number;
  readonly rows: Readonly<Record<string, Row>>;
  /** Ids that were never answered. */
  readonly missing: readonly string[];
  /** Ids that were answered more than once, and ids that nobody asked about. */
  readonly surplus: readonly string[];
  /** What was wrong, the first few in words. */
  readonly wrong: readonly string[];
  readonly wrongCount: number;
  /** Calls that were sent many at once, and from the first of them sent to the last answered. Milliseconds. */
  readonly loadCalls: number;
  readonly loadMs: number;
  /** From sending to answer, by how a call was sent. Milliseconds, ascending. */
  readonly latencies: Readonly<Record<Way, readonly number[]>>;
  /** From the grant of a slot to the start of the program. Milliseconds, ascending. */
  readonly starts: readonly number[];
  /** CPU time of the programs' own computing: as measured beforehand, or as used where a limit ended it. Milliseconds. */
  readonly ownCpuMs: number;
}

const WRONG_SHOWN = 10;

export class Tally {
  readonly rows = new Map<string, Row>();
  answered = 0;
  inFlight = 0;
  readonly #planned: ReadonlyMap<string, PlannedCall>;
  readonly #seen = new Set<string>();
  readonly #surplus: string[] = [];
  readonly #wrong: string[] = [];
  readonly #latencies: Record<Way, number[]> = { single: [], batch: [], alone: [] };
  readonly #starts: number[] = [];
  #ownCpuMs = 0;

  constructor(planned: readonly PlannedCall[]) {
    this.#planned = new Map(planned.map((one) => [one.call.id, one]));
    for (const outcome of OUTCOME_NAMES) {
      const expected = planned.filter((one) => one.program.expect.outcome === outcome).length;
      if (expected > 0) this.rows.set(outcome, { expected, got: 0, right: 0 });
    }
  }

  get calls(): number {
    return this.#planned.size;
  }

  get wrongCount(): number {
    return this.#wrong.length;
  }

  /** An answer came in, `latencyMs` after its call was sent; `id` is that of the call it answers. */
  answer(id: string, result: Result, way: Way, latencyMs: number): void {
    const one = this.#planned.get(id);
    if (one === undefined || result.id !== id || this.#seen.has(id)) {
      this.#surplus.push(`${id} (answer has the id ${result.id})`);
      return;
    }
    this.#seen.add(id);
    this.answered += 1;
    this.#latencies[way].push(latencyMs);
    this.#starts.push(Math.max(0, result.timing.started_ms - result.timing.queued_ms));
    this.#ownCpuMs += one.program.warm_cpu_ms ?? result.usage.cpu_ms;
    const row = this.#row(result.outcome);
    row.got += 1;
    const complaint = checkResult(one.program, result);
    if (complaint === null) row.right += 1;
    else this.#wrong.push(`${id} ${one.program.runtime} ${one.program.kind}: ${complaint}`);
  }

  /** A call, or a whole batch, got no result. */
  refuse(what: string, error: unknown): void {
    this.#wrong.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }

  report(loadMs: number): Report {
    const ascending = (values: number[]) => values.toSorted((a, b) => a - b);
    return {
      calls: this.calls,
      rows: Object.fromEntries(this.rows),
      missing: [...this.#planned.keys()].filter((id) => !this.#seen.has(id)),
      surplus: this.#surplus,
      wrong: this.#wrong.slice(0, WRONG_SHOWN),
      wrongCount: this.#wrong.length,
      loadCalls: this.#latencies.single.length + this.#latencies.batch.length,
      loadMs,
      latencies: {
        single: ascending(this.#latencies.single),
        batch: ascending(this.#latencies.batch),
        alone: ascending(this.#latencies.alone),
      },
      starts: ascending(this.#starts),
      ownCpuMs: this.#ownCpuMs,
    };
  }

  #row(outcome: Outcome): Row {
    let row = this.rows.get(outcome);
    if (row === undefined) this.rows.set(outcome, (row = { expected: 0, got: 0, right: 0 }));
    return row;
  }
}

/** Whether every call was answered once and rightly. */
export function isRight(report: Report): boolean {
  const right = Object.values(report.rows).reduce((sum, row) => sum + row.right, 0);
  return (
    right === report.calls &&
    report.missing.length === 0 &&
    report.surplus.length === 0 &&
    report.wrongCount === 0
  );
}
