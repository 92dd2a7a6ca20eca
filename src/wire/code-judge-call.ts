/** From a submission to code-judge to the call that runs it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Call } from "../contract/call.ts";

/** What of a submission says how it is run. */
interface Program {
  readonly type: "python" | "cpp" | "math";
  readonly solution: string;
  readonly input: string | null;
}

const ENCODED = /b64decode\(\s*["']([A-Za-z0-9+/=]{16,})["']/g;
const IMPORT_LINE = /^[ \t]*(?:import|from)[ \t]+[\w., \t]+.*$/gm;
const IMPORTS_MAX = 50;

/**
 * What a program imports where it cannot be seen, in a last line that is a comment. rStar2's client sends cells as
 * base64; a look at the source then finds no import, and the program would be forked from an interpreter without
 * what it needs.
 */
function importsInside(source: string): string {
  const lines = new Set<string>();
  for (const [, encoded = ""] of source.matchAll(ENCODED)) {
    for (const [line] of Buffer.from(encoded, "base64").toString("latin1").matchAll(IMPORT_LINE))
      if (lines.size < IMPORTS_MAX) lines.add(line.trim().slice(0, 200));
  }
  return lines.size === 0 ? "" : `\n# ${[...lines].join("; ").replaceAll(/[^\x20-\x7e]/g, " ")}\n`;
}

/** The operator's modules by the name under which a program imports them. */
export function readModules(directory: string): ReadonlyMap<string, string> {
  if (directory === "") return new Map();
  const names = readdirSync(directory).filter((name) => name.endsWith(".py"));
  return new Map(names.map((name) => [name.slice(0, -3), readFileSync(join(directory, name), "utf8")]));
}

/** Those modules that a program or a module that it has names, so that a program without one pays for none. */
function modulesOf(source: string, modules: ReadonlyMap<string, string>): Call["files"] {
  const found: Record<string, string> = {};
  const sources = [source];
  for (let text = sources.pop(); text !== undefined; text = sources.pop()) {
    for (const [name, content] of modules) {
      if (Object.hasOwn(found, `${name}.py`) || !text.includes(name)) continue;
      found[`${name}.py`] = content;
      sources.push(content);
    }
  }
  return found;
}

/** @param wall_ms wall time. Milliseconds. */
export function callOf(
  { type, solution, input }: Program,
  wall_ms: number,
  modules: ReadonlyMap<string, string>,
): Call {
  const shared = {
    limits: { wall_ms },
    ...(input === null || input === "" ? {} : { stdin: input }),
  };
  if (type === "cpp") return { runtime: "cpp", source: solution, ...shared };
  const given = modulesOf(solution, modules);
  return {
    runtime: "python",
    source: solution + importsInside(solution),
    ...shared,
    ...(given === undefined || Object.keys(given).length === 0 ? {} : { files: given }),
  };
}
