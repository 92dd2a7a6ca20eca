/** Every runtime there is. What else a new language touches is in docs/architecture.md, and tsc asks for most of it. */
import type { RuntimeId } from "../contract/call.ts";
import { bash } from "./bash.ts";
import { cpp } from "./cpp.ts";
import { javascript } from "./javascript.ts";
import { node } from "./node.ts";
import { python } from "./python.ts";
import type { Runtime } from "../contract/runtime.ts";

export const RUNTIMES: Readonly<Record<RuntimeId, Runtime>> = { python, javascript, node, bash, cpp };
