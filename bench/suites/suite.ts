/** What a suite is, and what it is given to measure with. */
import type { Recorder } from "../load/recorder.ts";
import type { SendOptions } from "../load/send.ts";
import type { Service, ServiceOptions } from "../machine/service.ts";
import { measured, type Curve, type LoadResult, type Measure, type SuiteResult } from "../results/schema.ts";
import type { Target } from "../targets/target.ts";

export interface PeerTargets {
  /** By the name of its flag; only those that were given. */
  readonly peers: ReadonlyMap<string, () => Target>;
}

export interface Session extends PeerTargets {
  /** Fewer calls, one round. */
  readonly quick: boolean;
  readonly signal: AbortSignal;
  /** `full` of a whole run, `few` of a quick one. */
  size(full: number, few: number): number;
  /** The same numbers in every run. */
  readonly random: () => () => number;
  /** A server of its own; stopped at the end of the suite at the latest. */
  startService(options?: ServiceOptions): Promise<Service>;
  /** A target that is closed at the end of the suite. */
  use(target: Target): Target;
  /** Sends a load, and measures and watches its target meanwhile. */
  load(
    name: string,
    target: Target,
    send: (options: SendOptions & { readonly recorder: Recorder }) => Promise<void>,
  ): Promise<LoadResult>;
  /** One line for people about what is going on. */
  say(text: string): void;
}

export type SuiteParts = Pick<SuiteResult, "measures"> & {
  readonly curves?: readonly Curve[];
  /** Loads to keep in the file, beyond those that `Session.load` keeps by itself. */
  readonly loads?: readonly LoadResult[];
};

export interface Suite {
  readonly name: string;
  readonly title: string;
  run(session: Session): Promise<SuiteParts>;
}

/** Calls that got no result; with the default configuration there is to be none. */
export function refusals(id: string, load: LoadResult): Measure {
  return measured(
    { id, label: "  refused", unit: "calls", better: "lower", target: 0, isExact: true },
    sum(Object.values(load.recorded.refused)),
  );
}

/** Every call answered, and rightly. */
export function completeness(id: string, label: string, load: LoadResult): Measure {
  const { planned, answered, wrong } = load.recorded;
  const right = answered - wrong;
  return {
    id,
    label,
    unit: "%",
    better: "higher",
    target: 100,
    value: planned === 0 ? null : (100 * right) / planned,
    rounds: [],
    isExact: true,
    note: right === planned ? null : `${planned - answered} unanswered, ${wrong} wrong of ${planned}`,
  };
}

export const sum = (values: Iterable<number>): number =>
  [...values].reduce((total, value) => total + value, 0);

/** What the server's process may hold during a burst. */
export const RSS_BYTES_MAX = 1 << 30;

/** The highest of the samples of a load; NaN when none has it. */
export function highest(
  load: LoadResult,
  pick: (sample: LoadResult["samples"][number]) => number | null,
): number {
  const seen = load.samples.map(pick).filter((value) => value !== null);
  return seen.length === 0 ? Number.NaN : Math.max(...seen);
}
