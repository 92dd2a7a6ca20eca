/** The leaves of the schema, each with the names by which the three sources know it. */
import type { TSchema } from "typebox";
import { ConfigSchema, KEYS_EXPECTED } from "./schema.ts";

export interface Leaf {
  /** Key in a file and, after `--`, as a flag, e.g. `http.bodyBytesMax`. */
  readonly path: string;
  /** Environment variable, e.g. `ROLLCALL_HTTP_BODY_BYTES_MAX`. */
  readonly env: string;
  readonly schema: TSchema;
  readonly kind: "integer" | "string" | "boolean" | "list" | "names";
  readonly description: string;
  readonly default: unknown;
  readonly unit: string;
  /** Never a flag and never shown. */
  readonly secret: boolean;
}

export interface Section {
  readonly path: string;
  readonly description: string;
}

/** The part of JSON Schema that the configuration uses. */
interface Node {
  readonly type?: string;
  readonly properties?: Record<string, Node>;
  readonly enum?: readonly string[];
  readonly items?: Node;
  readonly description?: string;
  readonly default?: unknown;
  readonly unit?: string;
  readonly secret?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** `http.bodyBytesMax` -> `ROLLCALL_HTTP_BODY_BYTES_MAX`; a hyphen is no character of a variable's name. */
function envName(path: string): string {
  return `ROLLCALL_${path
    .replaceAll(/[.-]/g, "_")
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toUpperCase()}`;
}

function kindOf(node: Node): Leaf["kind"] {
  if (node.type === "array") return node.items?.enum === undefined ? "list" : "names";
  return node.type as Leaf["kind"];
}

function walk(node: Node, path: string, leaves: Leaf[], sections: Section[]): void {
  if (node.properties !== undefined) {
    if (path !== "") sections.push({ path, description: node.description ?? "" });
    for (const [name, child] of Object.entries(node.properties)) {
      walk(child, path === "" ? name : `${path}.${name}`, leaves, sections);
    }
    return;
  }
  leaves.push({
    path,
    env: envName(path),
    schema: node,
    kind: kindOf(node),
    description: node.description ?? "",
    default: node.default,
    unit: node.unit === undefined || node.unit === "count" ? "" : node.unit,
    secret: node.secret === true,
  });
}

function collect(): { leaves: Leaf[]; sections: Section[] } {
  const leaves: Leaf[] = [];
  const sections: Section[] = [];
  walk(ConfigSchema, "", leaves, sections);
  return { leaves, sections };
}

const collected = collect();
export const LEAVES: readonly Leaf[] = collected.leaves;
export const SECTIONS: readonly Section[] = collected.sections;
export const LEAF_BY_PATH: ReadonlyMap<string, Leaf> = new Map(LEAVES.map((leaf) => [leaf.path, leaf]));

/** What a leaf's value must be, for a message: "an integer from 0 to 65535". */
export function expected(leaf: Leaf): string {
  const node = leaf.schema as unknown as Node;
  if (leaf.kind === "list") return KEYS_EXPECTED;
  if (leaf.kind === "names") return `names, each once, out of ${node.items?.enum?.join(", ")}`;
  if (node.enum !== undefined) return `one of ${node.enum.join(", ")}`;
  if (leaf.kind === "boolean") return "true or false";
  if (leaf.kind === "string") return "a string";
  if (node.maximum === undefined || node.maximum === Number.MAX_SAFE_INTEGER)
    return `an integer of at least ${node.minimum ?? 0}`;
  return `an integer from ${node.minimum ?? 0} to ${node.maximum}`;
}
