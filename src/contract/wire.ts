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
