/** Names of the other systems whose HTTP API the service can answer, as the configuration has them. */
export const WIRE_NAMES = [
  "sandbox-fusion",
  "code-judge",
  "nemo-skills",
  "piston",
  "dify-sandbox",
  "open-r1",
  "verl-tool",
  "openenv",
  "mcp",
] as const;
export type WireName = (typeof WIRE_NAMES)[number];

/**
 * What became of a program that runs a trainer's earlier cells again: answered in a fork of a program that waited after
 * earlier cells (`hit`), or of one that waits there from now on (`kept`); run as it came because none waited (`missed`),
 * because it could have told the difference (`unfit`), or because it might have (`undone`).
 */
export type ReplayEnd = "hit" | "kept" | "missed" | "unfit" | "undone";
