/**
 * Answers a replay of earlier cells by a fork of a program that ran them before, where that answer is the replay's own.
 *
 * A program that runs earlier cells and then a new one is the program that stopped before the new one, gone on with. So
 * the text is run verbatim, piece by piece, in a session that is that program; before the new cell it is forked, and the
 * fork runs the rest to the program's end. The waiting program runs earlier cells muted, as the text says: what a cell
 * leaves when it is shown is not what it leaves when it is muted (sympy looks at its output stream as it is imported).
 *
 * Whatever is in doubt, before or after, is thrown away, and the program is run as it came.
 */
import { SandboxError } from "../contract/errors.ts";
import type { ExecuteOptions } from "../contract/executor.ts";
import type { Result } from "../contract/result.ts";
import type { Session, SessionSpec } from "../contract/session.ts";
import type { ReplayEnd } from "../contract/wire.ts";
import type { WireParts } from "./adapter.ts";
import { cannotTellFork, readyImports } from "./code-judge-cells.ts";
import { type Prefix, type PrefixBounds, Prefixes, type Spent } from "./code-judge-prefixes.ts";
import { historyKeys, knownPreludes, recogniseReplay, type Replay } from "./code-judge-replay.ts";

export interface ReplayOptions extends PrefixBounds {
  readonly enabled: boolean;
  /** CPU time that earlier cells must have taken for a program to be kept after them. Milliseconds. */
  readonly cpuMs: number;
  /** Hashes of further preludes, SHA-256 in hexadecimal, separated by commas. */
  readonly preludes: string;
}

/** A replay, and what is to be done with it. */
export interface Considered {
  /** Null: it is to be run as it came. Else it gives its Result, or null where that is still to be done. */
  readonly answer: ((options: ExecuteOptions) => Promise<Result | null>) | null;
  /** To be told how a run as it came went. */
  readonly ranAsItCame: (result: Result) => void;
}

/** Programs whose CPU time is remembered. */
const REMEMBERED_MAX = 4096;
/** Earlier cells may take this part of the time limit: nearer to it the clock decides, and it should be the kernel's. */
const WALL_SHARE_MAX = 0.5;
/** A fork that comes nearer to the memory limit than this might not have stayed below it as a whole program. */
const MEMORY_SHARE_MAX = 0.8;
/** Where in memory something is differs from run to run. */
const ADDRESS = /0x[0-9a-f]{6,}/i;
const NOTHING: Spent = { wallMs: 0, cpuMs: 0, memoryBytes: 0 };
/** Instead of a CPU time: no program is to be kept here. */
const UNFIT = Infinity;

interface Way {
  readonly replay: Replay;
  /** See `historyKeys`. */
  readonly keys: readonly string[];
  readonly imports: readonly string[];
  /** Cells before the new one. */
  readonly earlier: number;
  readonly tenant: string;
}

export class Replaying {
  readonly #options: ReplayOptions;
  readonly #wallMs: number;
  readonly #parts: WireParts;
  readonly #preludes: ReadonlySet<string>;
  readonly #prefixes: Prefixes;
  readonly #making = new Map<string, Promise<Prefix | null>>();
  /** Milliseconds of CPU time that a program took up to a place. */
  readonly #spentMs = new Map<string, number>();

  /** @param wallMs wall time of a program. Milliseconds. */
  constructor(parts: WireParts, wallMs: number, options: ReplayOptions) {
    this.#parts = parts;
    this.#wallMs = wallMs;
    this.#options = options;
    this.#preludes = knownPreludes(options.preludes);
    this.#prefixes = new Prefixes(options);
  }

  /** Null for a program that is no replay. It has no standard input and no files. */
  consider(program: string, tenant = ""): Considered | null {
    if (!this.#options.enabled) return null;
    const replay = recogniseReplay(program, this.#preludes);
    if (replay === null) return null;
    const imports = readyImports(replay.cells);
    const keys = historyKeys(replay, tenant, imports);
    const way: Way = { replay, keys, imports, earlier: replay.cells.length - 1, tenant };
    const ranAsItCame = (result: Result): void => this.#learn(way, result, add(NOTHING, result));
    if (way.earlier === 0) return { answer: null, ranAsItCame };
    const known = this.#judge(way);
    if (known !== null) this.#parts.replayed(known);
    return { answer: known === null ? (options) => this.#answer(way, options) : null, ranAsItCame };
  }

  /** Null when it is worth a fork. */
  #judge(way: Way): ReplayEnd | null {
    const { keys, earlier } = way;
    const places = keys.slice(1, earlier + 1);
    if (places.some((key) => this.#spentMs.get(key) === UNFIT)) return "unfit";
    const isNear = this.#kept(way) !== null || places.some((key) => this.#making.has(key));
    if (!isNear && this.#spent(way) < this.#options.cpuMs) return "missed";
    return cannotTellFork(way.replay.cells) ? null : "unfit";
  }

  async #answer(way: Way, options: ExecuteOptions): Promise<Result | null> {
    let end: ReplayEnd = "undone";
    try {
      const waiting = this.#near(way);
      const prefix = waiting ?? (await this.#made(way, options));
      const result = prefix === null ? null : await this.#finish(prefix, way, options);
      if (result !== null) end = waiting === null ? "kept" : "hit";
      return result;
    } catch (error) {
      // Full, closed, lost, draining: a run as it came says what is to be said.
      if (error instanceof SandboxError) return null;
      throw error;
    } finally {
      this.#parts.replayed(end);
    }
  }

  /** The program that waits after the most of the earlier cells. */
  #kept({ keys, earlier }: Way): Prefix | null {
    for (let cells = earlier; cells > 0; cells--) {
      const prefix = this.#prefixes.find(keys[cells] as string);
      if (prefix !== null) return prefix;
    }
    return null;
  }

  /** That program, unless so much has come since that one is to wait nearer. */
  #near(way: Way): Prefix | null {
    const kept = this.#kept(way);
    if (kept === null || kept.cells === way.earlier) return kept;
    return this.#spent(way) - kept.cpuMs < this.#options.cpuMs ? kept : null;
  }

  /** Milliseconds of CPU time that the earlier cells took, as far as is known. */
  #spent({ keys, earlier }: Way): number {
    return this.#spentMs.get(keys[earlier] as string) ?? 0;
  }

  /** The program that waits after the earlier cells from now on; those who want it at once share it. */
  #made(way: Way, options: ExecuteOptions): Promise<Prefix | null> {
    const key = way.keys[way.earlier] as string;
    const known = this.#making.get(key);
    if (known !== undefined) return known;
    const making = this.#make(key, way, options).finally(() => this.#making.delete(key));
    this.#making.set(key, making);
    return making;
  }

  async #make(key: string, way: Way, options: ExecuteOptions): Promise<Prefix | null> {
    const before = this.#kept(way);
    const session = before === null ? await this.#open(way, options) : await this.#fork(before, way);
    let prefix: Prefix | null = null;
    try {
      const spent = before ?? NOTHING;
      const { wall_ms, cpu_ms } = this.#left(spent);
      const limits = { wall_ms: Math.ceil(wall_ms * WALL_SHARE_MAX), cpu_ms };
      const source = way.replay.pieces
        .slice(before === null ? 0 : before.cells + 1, way.earlier + 1)
        .join("");
      const result = await session.execute({ source, limits }, options);
      const layers = new Map([...(before?.layers ?? []), [key, result.usage.memory_peak_bytes]]);
      const made = { ...add(spent, result), session, cells: way.earlier, layers };
      if (this.#leftNothingElse(result) && this.#hasRoom(made)) prefix = made;
      else if (result.outcome !== "cancelled") this.#remember(key, UNFIT);
    } finally {
      if (prefix === null) void session.close();
    }
    if (prefix !== null) this.#prefixes.keep(key, prefix);
    return prefix;
  }

  /** Whether all that earlier cells did is in the interpreter's memory: nothing shown, no thread, no end. */
  #leftNothingElse({ outcome, session, stdout, stderr, truncated, usage }: Result): boolean {
    const shown = stdout !== "" || stderr !== "" || truncated.stdout + truncated.stderr > 0;
    return outcome === "completed" && session?.state === "kept" && !shown && usage.processes <= 1;
  }

  #hasRoom({ wallMs, memoryBytes }: Spent): boolean {
    const limit = this.#parts.limits.default.memory_bytes;
    return (
      wallMs <= this.#wallMs * WALL_SHARE_MAX && memoryBytes <= Math.min(this.#options.memoryBytes, limit / 2)
    );
  }

  /** Goes on in a fork to the program's end. Null when that might not be how the whole program would have ended. */
  async #finish(prefix: Prefix, way: Way, options: ExecuteOptions): Promise<Result | null> {
    const { pieces } = way.replay;
    const fork = await this.#fork(prefix, way);
    try {
      const source = pieces.slice(prefix.cells + 1).join("");
      const result = await fork.execute({ source, mode: "last", limits: this.#left(prefix) }, options);
      const whole = add(prefix, result);
      if (!this.#isSure(result, whole)) return null;
      this.#learn(way, result, whole);
      return { ...result, usage: { ...result.usage, wall_ms: whole.wallMs, cpu_ms: whole.cpuMs } };
    } finally {
      void fork.close();
    }
  }

  #isSure({ outcome, session, stdout, stderr }: Result, { memoryBytes }: Spent): boolean {
    // That it ended is the kernel's word.
    if (session?.state !== "lost") return false;
    if (memoryBytes > this.#parts.limits.default.memory_bytes * MEMORY_SHARE_MAX) return false;
    if (ADDRESS.test(stdout) || ADDRESS.test(stderr)) return false;
    return ["completed", "failed", "wall_limit", "cpu_limit"].includes(outcome);
  }

  /** What a program may still take that has taken so much. */
  #left({ wallMs, cpuMs }: Spent) {
    return {
      wall_ms: Math.max(1, Math.floor(this.#wallMs - wallMs)),
      cpu_ms: Math.max(1, Math.floor(this.#parts.limits.default.cpu_ms - cpuMs)),
    };
  }

  #open({ imports, tenant }: Way, { signal }: ExecuteOptions): Promise<Session> {
    const spec: SessionSpec = { runtime: "python", program: true, imports: ["base64", ...imports] };
    // Of nobody who could find it: what waits here is no session of the tenant's.
    const nobody = `code-judge replays\u0000${tenant}`;
    return this.#parts.executor.openSession(spec, {
      tenant: nobody,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async #fork({ session, cells }: Prefix, { keys }: Way): Promise<Session> {
    try {
      const [fork] = await session.fork({ reseed: false });
      return fork as Session;
    } catch (error) {
      const { state } = await session.describe().catch(() => ({ state: "lost" }));
      if (state === "lost" || state === "closed") this.#prefixes.drop(keys[cells] as string);
      throw error;
    }
  }

  /** What ran is the next program's earlier cells. Where it met its time limit, those will. */
  #learn({ keys }: Way, { outcome }: Result, { cpuMs, wallMs }: Spent): void {
    if (outcome === "cancelled" || outcome === "sandbox_failed") return;
    const ended = outcome === "completed" || outcome === "failed";
    const isFit = ended && wallMs <= this.#wallMs * WALL_SHARE_MAX;
    this.#remember(keys.at(-1) as string, isFit ? cpuMs : UNFIT);
  }

  #remember(key: string, cpuMs: number): void {
    this.#spentMs.delete(key);
    this.#spentMs.set(key, cpuMs);
    const oldest = this.#spentMs.keys().next();
    if (this.#spentMs.size > REMEMBERED_MAX && oldest.done !== true) this.#spentMs.delete(oldest.value);
  }
}

function add(spent: Spent, { usage }: Result): Spent {
  return {
    wallMs: spent.wallMs + usage.wall_ms,
    cpuMs: spent.cpuMs + usage.cpu_ms,
    memoryBytes: spent.memoryBytes + usage.memory_peak_bytes,
  };
}
