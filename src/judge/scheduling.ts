/** What the calls of one verification have in common. */

/** When a verification's verdict is of no more use, on a clock in milliseconds. */
export interface Deadline {
  /** Null for never. */
  readonly atMs: number | null;
  readonly now: () => number;
}

/** What is left until the deadline, for a call that goes out now. Milliseconds; undefined for no bound. */
export function deadlineOf({ atMs, now }: Deadline): number | undefined {
  return atMs === null ? undefined : Math.max(1, Math.ceil(atMs - now()));
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** The object without the fields that are undefined: a field of a call is there or it is not. */
export function withoutUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Defined<T>;
}
