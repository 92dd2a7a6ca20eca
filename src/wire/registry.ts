/** Every wire adapter there is; a new one is one file and one line here. */
import type { WireName } from "../contract/wire.ts";
import type { Adapter } from "./adapter.ts";
import { codeJudge, type CodeJudgeOptions } from "./code-judge.ts";
import { difySandbox, type DifySandboxOptions } from "./dify-sandbox.ts";
import { mcp, type McpOptions } from "./mcp.ts";
import { nemoSkills } from "./nemo-skills.ts";
import { openenv, type OpenenvOptions } from "./openenv.ts";
import { openR1 } from "./open-r1.ts";
import { piston } from "./piston.ts";
import { sandboxFusion, type SandboxFusionOptions } from "./sandbox-fusion.ts";
import { verlTool, type VerlToolOptions } from "./verl-tool.ts";

interface Place {
  readonly prefix: string;
  readonly port: number;
}

/** The configuration's section `wire`. */
export interface WireOptions extends Readonly<Record<WireName, Place>> {
  readonly adapters: readonly WireName[];
  readonly open: boolean;
  readonly "sandbox-fusion": Place & SandboxFusionOptions;
  readonly "code-judge": Place & CodeJudgeOptions;
  readonly "dify-sandbox": Place & DifySandboxOptions;
  readonly "verl-tool": Place & VerlToolOptions;
  readonly openenv: Place & OpenenvOptions;
  readonly mcp: Place & McpOptions;
}

const ADAPTERS: Readonly<Record<WireName, (options: WireOptions) => Adapter>> = {
  "sandbox-fusion": (options) => sandboxFusion(options["sandbox-fusion"]),
  "code-judge": (options) => codeJudge(options["code-judge"]),
  piston,
  "dify-sandbox": (options) => difySandbox(options["dify-sandbox"]),
  "open-r1": openR1,
  "nemo-skills": nemoSkills,
  "verl-tool": (options) => verlTool(options["verl-tool"]),
  openenv: (options) => openenv(options.openenv),
  mcp: (options) => mcp(options.mcp),
};

/** `judge`, `/judge` and `/judge/` are one prefix. */
function asPrefix(text: string): string {
  const path = text.replaceAll(/^\/+|\/+$/g, "");
  return path === "" ? "" : `/${path}`;
}

/** The adapters that are switched on, each with the place where it is to be found. */
export function createMounts(options: WireOptions) {
  return options.adapters.map((name) => ({
    name,
    prefix: asPrefix(options[name].prefix),
    port: options[name].port,
    open: options.open,
    api: ADAPTERS[name](options),
  }));
}
