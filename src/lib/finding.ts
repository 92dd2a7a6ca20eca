/** What `doctor` found about one thing. */
export interface Finding {
  readonly name: string;
  readonly state: "ok" | "warn" | "fail";
  readonly found: string;
  /** The command or change that mends it. */
  readonly fix?: string;
}

export const ok = (name: string, found: string): Finding => ({ name, state: "ok", found });
export const fail = (name: string, found: string, fix: string): Finding => ({
  name,
  state: "fail",
  found,
  fix,
});
export const warn = (name: string, found: string, fix: string): Finding => ({
  name,
  state: "warn",
  found,
  fix,
});

/** A line for each, with its fix below where one is needed. */
export function findingLines(findings: readonly Finding[]): string[] {
  const width = Math.max(0, ...findings.map(({ name }) => name.length));
  return findings.flatMap(({ name, state, found, fix }) => [
    `${state.padEnd(4)}  ${name.padEnd(width)}  ${found}`,
    ...(fix === undefined || state === "ok" ? [] : [`${" ".repeat(width + 8)}fix: ${fix}`]),
  ]);
}
