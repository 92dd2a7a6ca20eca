/**
 * Runs hostile programs one after the other on the one slot of a service. After each the slot must be as new
 * for an honest call, after each group nothing may be left, and after the service's end nothing at all.
 */
import { chmodSync, chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createClient } from "../../src/client/index.ts";
import type { Call } from "../../src/contract/call.ts";
import type { Executor } from "../../src/contract/executor.ts";
import { chooseProfile } from "../../src/engines/container/import-profiles.ts";
import { importedNames } from "../../src/engines/container/source-scan.ts";
import { SILENT_OBSERVER } from "../../src/core/observer.ts";
import { createExecutor, type PartialConfig } from "../../src/index.ts";
import { type Inventory, serviceProcesses, slotMemoryBytes, takeInventory } from "./inventory.ts";
import { allForkServers } from "../support/fork-servers.ts";
import { startService } from "../support/service.ts";
import { TIER, type Tier, type TierKind } from "./tier.ts";
import { callOf, type HostileProgram, judge, MiB } from "./program.ts";

/** More than the longest wall limit in the programs' data. */
const TEST_MS_MAX = 90_000;
const SETTLE_MS_MAX = 15_000;
/** How much more than at the start a slot may hold: what the service itself allows before it replaces a slot. */
const SLOT_GROWTH_BYTES_MAX = 64 * MiB;

const CANARY = {
  python: {
    source: [
      "import os",
      "places = [os.listdir(place) for place in ('.', '/tmp', '/dev/shm')]",
      "pids = [name for name in os.listdir('/proc') if name.isdigit()]",
      "print(6 * 7, places, pids == [str(os.getpid())], sorted(map(int, os.listdir('/proc/self/fd'))), os.read(0, 9))",
    ].join("\n"),
    stdout: "42 [['main.py'], [], []] True [0, 1, 2, 3] b''\n",
  },
  node: {
    source: [
      "const fs = require('fs')",
      "const places = ['.', '/tmp', '/dev/shm'].map((place) => fs.readdirSync(place))",
      "const pids = fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name))",
      "console.log(6 * 7, JSON.stringify(places), String(pids) === String(process.pid), fs.readFileSync(0, 'utf8'))",
    ].join("\n"),
    stdout: '42 [["main.js"],[],[]] true \n',
  },
  /** Without mounts there are no such places, and no other process is in sight. */
  process: {
    source: [
      "import os",
      "print(6 * 7, os.listdir('.'), os.listdir('../tmp'), sorted(map(int, os.listdir('/proc/self/fd'))), os.read(0, 9))",
    ].join("\n"),
    stdout: "42 ['main.py'] [] [0, 1, 2, 3] b''\n",
  },
  nodeProcess: {
    source:
      "const fs = require('fs'); console.log(6 * 7, JSON.stringify(['.', '../tmp'].map((place) => fs.readdirSync(place))), fs.readFileSync(0, 'utf8'))",
    stdout: '42 [["main.js"],[]] \n',
  },
  javascript: {
    source:
      "console.log(6 * 7, Object.keys(globalThis).includes('planted'), [].length, JSON.stringify({ a: [1] }))",
    stdout: '42 false 0 {"a":[1]}\n',
  },
} as const;

/** An honest call on the slot that the program just had. */
function canaryFor({ runtime, source }: Pick<HostileProgram, "runtime" | "source">, kind: TierKind) {
  const hasPlaces = kind !== "process";
  if (runtime === "javascript" || runtime === "node") {
    const { source: text, stdout } = CANARY[runtime === "node" && !hasPlaces ? "nodeProcess" : runtime];
    const call: Call = { runtime, source: text };
    return { call, stdout };
  }
  const canary = hasPlaces ? CANARY.python : CANARY.process;
  // Which modules a source imports decides which of the slot's heaps it is forked from.
  const heap = runtime === "python" ? `\n# import ${[...importedNames(source)].join(" ")}` : "";
  const call: Call = { runtime: "python", source: canary.source + heap };
  return { call, stdout: canary.stdout };
}

export async function expectHealthy(
  { executor, kind }: Pick<Subject, "executor" | "kind">,
  program: Pick<HostileProgram, "runtime" | "source">,
): Promise<void> {
  const canary = canaryFor(program, kind);
  const { outcome, stdout, stderr, error, value, truncated, detail } = await executor.execute(canary.call);
  expect({ outcome, stdout, stderr, error, value, truncated, detail }).toEqual({
    outcome: "completed",
    stdout: canary.stdout,
    stderr: "",
    error: null,
    value: null,
    truncated: { stdout: 0, stderr: 0 },
    detail: null,
  });
}

/** Runs one program as its data says, with the one that comes before it, and judges every run. */
async function runAndJudge(
  { executor, kind }: Subject,
  program: HostileProgram,
  before: HostileProgram | undefined,
): Promise<string[]> {
  const times = program.distinct ?? program.identical ?? program.times ?? 1;
  const problems: string[] = [];
  const outputs = new Set<string>();
  for (let run = 0; run < times; run++) {
    if (before !== undefined) problems.push(...judge(before, await executor.execute(callOf(before)), kind));
    const result = await executor.execute(callOf(program));
    problems.push(...judge(program, result, kind));
    outputs.add(result.stdout);
  }
  if (program.differs?.[kind] !== undefined) return problems;
  if (program.distinct !== undefined && outputs.size !== times)
    problems.push(`the same output twice: ${[...outputs].join()}`);
  if (program.identical !== undefined && outputs.size !== 1)
    problems.push(`different outputs: ${[...outputs].join()}`);
  return problems;
}

export interface Subject {
  executor: Executor;
  stateDirectory: string;
  readonly kind: TierKind;
  /** Of the service, where its processes have no cgroup to be counted by. */
  pid: number | null;
  /** What the service took for a fault of its own, by its stable words. */
  readonly faults: string[];
}

/** Starts a service for the tests of the file and ends it after them; ends in a test that nothing is left of it. */
export function withService(
  config: PartialConfig,
  tests: (subject: Subject) => void,
  tier: Tier = TIER,
): void {
  const subject: Subject = {
    executor: undefined as unknown as Executor,
    stateDirectory: "",
    faults: [],
    kind: tier.kind,
    pid: null,
  };
  const marker = mkdtempSync(join(tmpdir(), "rollcall-host-marker-"));
  let started: Executor | undefined;
  let prepared: ReturnType<NonNullable<Tier["prepare"]>> | undefined;
  beforeAll(async () => {
    subject.stateDirectory = mkdtempSync(join(tmpdir(), "rollcall-security-"));
    // A file and a variable of this machine that no program may find.
    chmodSync(marker, 0o755);
    process.env["ROLLCALL_HOST_MARKER"] = marker;
    chmodSync(subject.stateDirectory, 0o755);
    prepared = tier.prepare?.();
    started = await startSubject(subject, config, tier, prepared?.env);
    subject.executor = started;
    await allForkServers(started);
  });
  afterAll(async () => {
    await started?.close();
    prepared?.end();
    for (const directory of [subject.stateDirectory, marker])
      rmSync(directory, { recursive: true, force: true });
  });
  tests(subject);
  it("found no fault of its own", () => {
    expect(subject.faults).toEqual([]);
  });
  it("leaves nothing on the machine when it is closed", async () => {
    await subject.executor.close();
    expect(serviceProcesses()).toEqual([]);
    expect(takeInventory(subject.stateDirectory, subject.pid)).toMatchObject({
      processes: {},
      cgroups: [],
      files: [],
    });
    expect(readdirSync(subject.stateDirectory)).toEqual([]);
  });
}

/** The service in this process, or, as another user, in one of its own. */
async function startSubject(
  subject: Subject,
  config: PartialConfig,
  tier: Tier,
  env: Readonly<Record<string, string>> = {},
): Promise<Executor> {
  const { faults, stateDirectory } = subject;
  const merged = {
    ...tier.config,
    ...config,
    container: { ...tier.config.container, stateDirectory },
    runtimes: { ...config.runtimes, ...tier.config.runtimes },
  };
  if (tier.kind !== "container") subject.pid = process.pid;
  if (tier.uid === null) {
    const observer = {
      ...SILENT_OBSERVER,
      fault: (engine: string, kind: string) => void faults.push(`${engine}: ${kind}`),
    };
    return createExecutor(merged, { observer });
  }
  chownSync(stateDirectory, tier.uid, tier.uid);
  const service = await startService(flagsOf(merged), { HOME: stateDirectory, ...env }, tier.uid);
  subject.pid = service.process.pid ?? null;
  const client = createClient({ baseUrl: service.url, resultBytesMax: 1 << 30 });
  const close = async (): Promise<void> => {
    await client.close();
    if (service.process.exitCode === null) await service.stop();
    faults.push(
      ...service.lines.filter((line) => line.includes('"level":"warn"') && line.includes('"kind"')),
    );
  };
  return { ...client, close };
}

/** A configuration as flags of the command line. */
function flagsOf(config: object, prefix = "--"): string[] {
  return Object.entries(config).flatMap(([name, value]) =>
    typeof value === "object" && value !== null
      ? flagsOf(value as object, `${prefix}${name}.`)
      : [`${prefix}${name}`, String(value)],
  );
}

type Heap = [HostileProgram, ...HostileProgram[]];

/** Programs by the heap that they are forked from. */
function heapsOf(programs: readonly HostileProgram[]): Heap[] {
  const heapOf = ({ runtime, source }: HostileProgram): string =>
    runtime === "python" ? chooseProfile(importedNames(source)).name : runtime;
  return [...Map.groupBy(programs, heapOf).values()] as Heap[];
}

/** Waits until what is started or ended in the background is so. */
export async function settledInventory({ stateDirectory, pid }: Subject): Promise<Inventory> {
  let last: Inventory | undefined;
  return vi.waitFor(
    () => {
      const previous = last;
      last = takeInventory(stateDirectory, pid);
      expect(last).toEqual(previous);
      return last;
    },
    { timeout: SETTLE_MS_MAX, interval: 1000 },
  );
}

/** A group of programs, each with its canary, and the inventory around all of them. */
export function describeGroup(name: string, subject: Subject, programs: readonly HostileProgram[]): void {
  const byName = new Map(programs.map((program) => [program.name, program]));
  const single = programs.filter(({ beside, paired }) => beside === undefined && paired !== true);
  describe(name, () => {
    let before: Inventory;
    let memoryBefore: number;
    beforeAll(async () => {
      // Every heap that the group's programs are forked from has its slot open.
      for (const [program] of heapsOf(single)) await expectHealthy(subject, program);
      before = await settledInventory(subject);
      memoryBefore = slotMemoryBytes();
    });

    for (const program of single) {
      const isElsewhere = program.arch !== undefined && program.arch !== process.arch;
      const notHeld = program.notHeld?.[subject.kind];
      const title = `${program.name}: ${program.threat}${notHeld === undefined ? "" : ` (not held: ${notHeld})`}`;
      it.skipIf(isElsewhere || notHeld !== undefined)(title, { timeout: TEST_MS_MAX }, async () => {
        const plant = program.after === undefined ? undefined : byName.get(program.after);
        if (program.after !== undefined) expect(plant).toBeDefined();
        expect(await runAndJudge(subject, program, plant)).toEqual([]);
        await expectHealthy(subject, program);
      });
    }

    it("leaves nothing behind", { timeout: TEST_MS_MAX }, async () => {
      await vi.waitFor(
        async () => {
          // A slot whose memory grew is replaced after the call that finds it so.
          for (const [program] of heapsOf(single)) await expectHealthy(subject, program);
          const after = takeInventory(subject.stateDirectory, subject.pid);
          // Processes without cgroups cannot be told by their slot: one that was to be replaced may be fewer.
          if (subject.pid !== null)
            for (const [name, number] of Object.entries(after.processes))
              expect(number).toBeLessThanOrEqual(before.processes[name] ?? 0);
          const processes = subject.pid === null ? before.processes : after.processes;
          expect(after).toEqual({ ...before, processes });
          expect(slotMemoryBytes()).toBeLessThan(memoryBefore + SLOT_GROWTH_BYTES_MAX);
        },
        { timeout: SETTLE_MS_MAX, interval: 300 },
      );
    });
  });
}
