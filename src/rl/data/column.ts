/** A place in a row: `answer`, `reward_model.ground_truth`, `prompt[0].content`. A column whose own name has dots is found first. */

const PART = /\[(\d+)\]|([^.[\]]+)/g;

export function valueAt(row: Readonly<Record<string, unknown>>, column: string): unknown {
  if (Object.hasOwn(row, column)) return row[column];
  let value: unknown = row;
  for (const [, index, name] of column.matchAll(PART)) {
    const key = index ?? name ?? "";
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** @returns a text, of a number its digits. @throws Error that names the columns there are when there is no such value */
export function textAt(row: Readonly<Record<string, unknown>>, column: string, where: string): string {
  const value = valueAt(row, column);
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  const kind =
    value === undefined
      ? "nothing"
      : value === null
        ? "null"
        : Array.isArray(value)
          ? "a list"
          : `a ${typeof value}`;
  throw new Error(
    `${where}: column ${column} has ${kind}, not a text or a number; its columns are ${Object.keys(row).join(", ")}`,
  );
}
