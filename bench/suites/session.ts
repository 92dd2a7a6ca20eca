/** Runs suites: gives them servers and loads, keeps what they measured, and clears up behind them. */
import { createRandom } from "../../workload/mix.ts";
import { Recorder } from "../load/recorder.ts";
import { readContainersCpuMs } from "../machine/cgroup-cpu.ts";
import { readTree, type TreeUse } from "../machine/cpu.ts";
import { startSampler } from "../machine/sampler.ts";
import { Service, type ServiceOptions } from "../machine/service.ts";
import type { LoadResult, SuiteResult } from "../results/schema.ts";
import type { Target } from "../targets/target.ts";
import { ink } from "../terminal/ink.ts";
import { drawProgress, type ProgressOutput } from "../terminal/progress.ts";
import type { PeerTargets, Session, Suite } from "./suite.ts";

export interface SessionOptions extends PeerTargets {
  readonly quick: boolean;
  readonly output: ProgressOutput;
  readonly signal: AbortSignal;
  readonly seed?: number;
  /** Starts the service with these flags in every suite. */
  readonly serviceFlags?: readonly string[];
}

const SEED = 20;

interface CpuLook {
  readonly tree: TreeUse;
  readonly containersMs: number | null;
}

function lookAtCpu(pid: number): CpuLook {
  return { tree: readTree(pid), containersMs: readContainersCpuMs(pid) };
}

/**
 * CPU time between two looks. The sum over the tree misses a process that was killed and that nobody waited
 * for; the containers' cgroups miss what is outside of them. The greater of the two is the nearer.
 */
export function cpuBetweenLooks(
  before: CpuLook,
  after: CpuLook,
): Pick<LoadResult, "cpuMs" | "containersCpuMs"> {
  const treeMs = after.tree.totalMs - before.tree.totalMs;
  if (before.containersMs === null || after.containersMs === null)
    return { cpuMs: treeMs, containersCpuMs: null };
  const containersCpuMs = after.containersMs - before.containersMs;
  const ownMs = after.tree.ownMs - before.tree.ownMs;
  return { cpuMs: Math.max(treeMs, ownMs + containersCpuMs), containersCpuMs };
}

/** Sends a load and measures its target meanwhile. */
export async function measureLoad(
  name: string,
  target: Target,
  options: Pick<SessionOptions, "output" | "signal">,
  send: Parameters<Session["load"]>[2],
): Promise<LoadResult> {
  const recorder = new Recorder();
  const sampler = await startSampler(target);
  const stopDrawing = drawProgress(`${target.name}, ${name}`, recorder, options.output);
  const before = target.pid === null ? null : lookAtCpu(target.pid);
  await send({ target, recorder, signal: options.signal });
  const after = target.pid === null ? null : lookAtCpu(target.pid);
  stopDrawing();
  const nothing = { cpuMs: null, containersCpuMs: null };
  return {
    name,
    target: target.name,
    recorded: recorder.report(),
    ...(before === null || after === null ? nothing : cpuBetweenLooks(before, after)),
    ...(await sampler.stop()),
  };
}

interface Opened {
  readonly session: Session;
  readonly loads: LoadResult[];
  close(): Promise<void>;
}

function openSession(options: SessionOptions): Opened {
  const loads: LoadResult[] = [];
  const services: Service[] = [];
  const targets: Target[] = [];
  const { quick, signal, output } = options;
  return {
    loads,
    session: {
      quick,
      signal,
      peers: options.peers,
      size: (full, few) => (quick ? few : full),
      random: () => createRandom(options.seed ?? SEED),
      async startService(asked: ServiceOptions = {}) {
        const args = [
          ...(asked.entry === undefined ? (options.serviceFlags ?? []) : []),
          ...(asked.args ?? []),
        ];
        const service = await Service.start({ ...asked, args });
        services.push(service);
        return service;
      },
      use(target) {
        targets.push(target);
        return target;
      },
      async load(name, target, send) {
        signal.throwIfAborted();
        const result = await measureLoad(name, target, options, send);
        loads.push(result);
        return result;
      },
      say: (text) => output.write(ink.dim(`  ${text}\n`)),
    },
    async close() {
      await Promise.all(targets.map((target) => target.close().catch(() => undefined)));
      await Promise.all(services.map((service) => service.stop()));
    },
  };
}

/** Runs one suite to its end; what goes wrong is told in its result, so that the others are still run. */
export async function runSuite(suite: Suite, options: SessionOptions): Promise<SuiteResult> {
  const startedAt = performance.now();
  const opened = openSession(options);
  const seconds = () => (performance.now() - startedAt) / 1000;
  const named = { name: suite.name, title: suite.title };
  options.output.write(ink.bold(`${suite.name}: ${suite.title}\n`));
  try {
    const { measures, curves = [], loads = [] } = await suite.run(opened.session);
    const kept = [...opened.loads, ...loads];
    return { ...named, seconds: seconds(), measures, curves, loads: kept, failure: null };
  } catch (error) {
    const failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { ...named, seconds: seconds(), measures: [], curves: [], loads: opened.loads, failure };
  } finally {
    await opened.close();
  }
}
