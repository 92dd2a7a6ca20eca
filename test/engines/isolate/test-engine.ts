/** An engine with one open sandbox, whose hosts are plain child processes. */
import type { Engine, Sandbox } from "../../../src/core/ports.ts";
import { createIsolateEngine, type IsolateEngineOptions } from "../../../src/engines/isolate/engine.ts";
import { createUnconfined } from "./unconfined.ts";

export interface TestEngine {
  readonly engine: Engine;
  readonly sandbox: Sandbox;
  /** Process ids of the hosts started so far, in order: the open sandbox has the first for as long as it lives. */
  pids(): number[];
  /** Signals the host that was started as the `index`th; fails where there is none. */
  signal(index: number, signal: NodeJS.Signals): void;
  readonly faults: string[];
  close(): Promise<void>;
}

export async function startEngine(options: Partial<IsolateEngineOptions> = {}): Promise<TestEngine> {
  const confinement = createUnconfined();
  const faults: string[] = [];
  const engine = createIsolateEngine({
    confinement,
    slots: 2,
    nodePath: process.execPath,
    onFault: (kind) => faults.push(kind),
    ...options,
  });
  await engine.start();
  const sandbox = await engine.openSandbox(0);
  return {
    engine,
    sandbox,
    faults,
    pids: () => confinement.launched.map(({ pid }) => pid),
    signal(index, signal) {
      const host = confinement.launched[index];
      // To the kernel 0 is the sender's own group: this process and all beside it.
      if (host === undefined || host.pid <= 0) throw new Error(`there is no host ${index}`);
      process.kill(host.pid, signal);
    },
    close: async () => {
      await engine.close();
      await confinement.close();
    },
  };
}
