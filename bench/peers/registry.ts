/** Every driver there is; a new one is one file and one line here. */
import type { WireName } from "../../src/contract/wire.ts";
import type { Target } from "../targets/target.ts";
import { createCodeJudgeTarget } from "./code-judge.ts";
import { createDifySandboxTarget } from "./dify-sandbox.ts";
import type { PeerOptions } from "./driver.ts";
import { createGoJudgeTarget } from "./go-judge.ts";
import { createMcpTarget } from "./mcp.ts";
import { createNemoSkillsTarget } from "./nemo-skills.ts";
import { createOpenR1Target } from "./open-r1.ts";
import { createOpenenvTarget } from "./openenv.ts";
import { createPistonTarget } from "./piston.ts";
import { createSandboxFusionTarget } from "./sandbox-fusion.ts";
import { createVerlToolTarget } from "./verl-tool.ts";

export const DRIVERS: Readonly<Record<WireName | "go-judge", (options: PeerOptions) => Target>> = {
  "sandbox-fusion": createSandboxFusionTarget,
  "code-judge": createCodeJudgeTarget,
  "nemo-skills": createNemoSkillsTarget,
  piston: createPistonTarget,
  "dify-sandbox": createDifySandboxTarget,
  "open-r1": createOpenR1Target,
  "verl-tool": createVerlToolTarget,
  openenv: createOpenenvTarget,
  mcp: createMcpTarget,
  "go-judge": createGoJudgeTarget,
};
