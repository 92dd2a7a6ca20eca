/**
 * An engine of sessions whose programs are single words: `set x 1`, `get x`, `raise`, `hang` (until interrupted),
 * `deaf` (past every interrupt), `die`, `fault`, `silent` (no answer, ever). A fork has a copy of the variables.
 */
import {
  type Engine,
  SandboxFault,
  type SessionEvidence,
  type SessionSandbox,
} from "../../src/core/ports.ts";
import { captured, evidence } from "./builders.ts";

export class WordEngine implements Engine {
  readonly name = "container";
  readonly slots = 1;
  opened = 0;
  closed = 0;
  /** What becomes of the next openings and forks; when there is none left they succeed at once. */
  readonly gates: (() => Promise<void>)[] = [];
  /** Sandboxes of sessions that are open, the oldest first. */
  readonly live: WordSandbox[] = [];

  start = () => Promise.resolve();
  close = () => Promise.resolve();
  describe = () => ({ engine: this.name, tier: "none" as const, layers: [], slots: 1, detail: {} });
  openSandbox = () =>
    Promise.resolve({ run: () => Promise.resolve(evidence()), close: () => Promise.resolve() });

  async openSession(): Promise<SessionSandbox> {
    await this.gates.shift()?.();
    return this.make(new Map());
  }

  make(variables: ReadonlyMap<string, string>): WordSandbox {
    this.opened++;
    const sandbox = new WordSandbox(this, variables);
    this.live.push(sandbox);
    return sandbox;
  }
}

export class WordSandbox implements SessionSandbox {
  readonly lost: Promise<SandboxFault>;
  /** Ends the interpreter while nothing runs. */
  lose!: (fault: SandboxFault) => void;
  readonly variables: Map<string, string>;
  /** Runs and forks that are in the sandbox; never more than one. */
  inside = 0;
  mostInside = 0;
  readonly #engine: WordEngine;

  constructor(engine: WordEngine, variables: ReadonlyMap<string, string>) {
    this.#engine = engine;
    this.variables = new Map(variables);
    this.lost = new Promise((resolve) => (this.lose = resolve));
  }

  async run(spec: { readonly source: Buffer }, signal: AbortSignal): Promise<SessionEvidence> {
    this.#enter();
    try {
      return await this.#do(spec.source.toString(), signal);
    } finally {
      this.inside--;
    }
  }

  async fork({ count }: { readonly count: number }): Promise<readonly SessionSandbox[]> {
    this.#enter();
    try {
      await this.#engine.gates.shift()?.();
      return Array.from({ length: count }, () => this.#engine.make(this.variables));
    } finally {
      this.inside--;
    }
  }

  close(): Promise<void> {
    this.#engine.closed++;
    this.#engine.live.splice(this.#engine.live.indexOf(this), 1);
    return Promise.resolve();
  }

  #enter(): void {
    this.inside++;
    this.mostInside = Math.max(this.mostInside, this.inside);
  }

  async #do(source: string, signal: AbortSignal): Promise<SessionEvidence> {
    const [word, name = "", value = ""] = source.split(" ");
    if (word === "fault") throw new SandboxFault("died", "the sandbox died");
    if (word === "silent") return new Promise(() => undefined);
    if (word === "die") return { ...evidence({ exitCode: 3 }), kept: false };
    if (word === "oom") return { ...evidence({ exitCode: null, signal: 9, oomKills: 1 }), kept: false };
    if (word === "hang" || word === "deaf") {
      await new Promise((resolve) => {
        if (signal.aborted) resolve(undefined);
        signal.addEventListener("abort", resolve);
      });
      return { ...evidence({ exitCode: null, endedBy: "cancel" }), kept: word === "hang" };
    }
    if (word === "raise") return { ...evidence({ exitCode: 1 }), kept: true };
    await Promise.resolve();
    if (word === "set") this.variables.set(name, value);
    return { ...evidence({ stdout: captured(this.variables.get(name) ?? "") }), kept: true };
  }
}
