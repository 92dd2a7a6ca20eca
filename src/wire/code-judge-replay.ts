/**
 * What rStar2's simulated Jupyter sends for a cell: one program that defines an executor, has it run every earlier cell
 * with its output thrown away and its exceptions swallowed, and then the new cell. Pure functions over the text.
 *
 * The prelude is known by its hash. Anything else, by a single character, is a program like any other.
 */
import { createHash } from "node:crypto";
import { isUtf8 } from "node:buffer";

/** SHA-256 of preludes that are known to run cells in one namespace, mute earlier ones and swallow their exceptions. */
const KNOWN_PRELUDES: readonly string[] = [
  // microsoft/rStar, rstar2_agent/tools/code_judge_utils.py
  "4f815061cbcf4e09c894e85eb0dc4095d7aed348d8644b1a4c55cad5496ab976",
  // RLinf/RLinf, rlinf/agents/rstar2/http_code_judge_tool.py: the same without spaces on empty lines
  "fa6167183d84d6acad338fe1bec0faf0cb35cb0874941a893eabf2c71ed17b4d",
];

export interface Replay {
  /** The program in pieces, none left out: the prelude, then the lines that run each cell. */
  readonly pieces: readonly string[];
  /** Sources of the cells, the new one last; at least one. */
  readonly cells: readonly string[];
}

const CELL_START = '\ncode_to_execute = base64.b64decode("';
const CELL =
  /\ncode_to_execute = base64\.b64decode\("([A-Za-z0-9+/]*={0,2})"\.encode\(\)\)\.decode\(\)\npersistent_executor\.execute_code\(code_to_execute, replay_history_code=(True|False)\)\n/y;

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** @param further hashes separated by commas */
export function knownPreludes(further: string): ReadonlySet<string> {
  return new Set([...KNOWN_PRELUDES, ...further.split(",").map((hash) => hash.trim().toLowerCase())]);
}

/** Null for a program that is no replay, letter by letter. */
export function recogniseReplay(program: string, preludes: ReadonlySet<string>): Replay | null {
  const start = program.indexOf(CELL_START);
  if (start < 0 || !preludes.has(sha256(program.slice(0, start)))) return null;
  const pieces = [program.slice(0, start)];
  const cells: string[] = [];
  CELL.lastIndex = start;
  for (let at = start; at < program.length; at = CELL.lastIndex) {
    const [piece, encoded = "", muted] = CELL.exec(program) ?? [];
    if (piece === undefined) return null;
    const isLast = at + piece.length === program.length;
    const source = Buffer.from(encoded, "base64");
    if (encoded.length % 4 !== 0 || !isUtf8(source) || (muted === "False") !== isLast) return null;
    pieces.push(piece);
    cells.push(source.toString("utf8"));
  }
  return { pieces, cells };
}

/**
 * Keys of what a tenant's program is after its first cells, muted or not: `keys[n]` after `n` of them. Whoever has another
 * history, begins with another interpreter or is another tenant has another key.
 * @param imports modules that the interpreter may have imported before the program began
 */
export function historyKeys(
  { pieces, cells }: Replay,
  tenant: string,
  imports: readonly string[],
): readonly string[] {
  const hash = createHash("sha256").update(JSON.stringify([tenant, imports, pieces[0]]));
  return ["", ...cells].map((cell) => hash.update(`${cell.length}:${cell}`).copy().digest("hex"));
}
