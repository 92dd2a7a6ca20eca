/** Drives fork_loop.py: for each import profile one process with the same modules as the service's fork server. */
import { execFile } from "node:child_process";
import fs from "node:fs";
import os, { availableParallelism } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { Program } from "../../workload/mix.ts";
import { chooseProfile, type ImportProfile } from "../../src/engines/container/import-profiles.ts";
import { PACKAGE_ROOT } from "../machine/place.ts";
import { importedNames } from "../../src/engines/container/source-scan.ts";

export const INTERPRETER = "/usr/bin/python3";

const PRELOAD = path.join(PACKAGE_ROOT, "sandbox-images/python/forkserver");
const PACKAGES = path.join(PACKAGE_ROOT, ".rollcall/python/packages");
const SCRIPT = path.join(import.meta.dirname, "fork_loop.py");

/** Directories of packages: as set-up put them, or the machine's own. */
function packagePaths(): string[] {
  if (fs.existsSync(PACKAGES)) return [PACKAGES];
  return ["/usr/local/lib/python3/dist-packages", "/usr/lib/python3/dist-packages"];
}

export interface LoopResult {
  readonly calls: number;
  readonly elapsedMs: number;
  /** CPU time of the loop and all its children. Milliseconds. */
  readonly cpuMs: number;
  /** Of it, the programs' own computing. Milliseconds. */
  readonly ownMs: number;
  /** CPU time of each program's own computing, by kind. Milliseconds. */
  readonly warmMs: ReadonlyMap<string, number>;
}

/** Environment for programs of a cold interpreter, so that it finds the same packages. */
export function coldEnvironment(): Record<string, string> {
  return {
    PYTHONPATH: packagePaths().join(":"),
    PYTHONHASHSEED: "0",
    PYTHONDONTWRITEBYTECODE: "1",
    OPENBLAS_NUM_THREADS: "1",
    OMP_NUM_THREADS: "1",
  };
}

/** The profile that the service would fork a program from. */
export function profileOf({ source }: Program): ImportProfile {
  return chooseProfile(importedNames(source));
}

interface Answer {
  readonly warm_ms: readonly number[];
  readonly calls: number;
  readonly elapsed_ms: number;
  readonly cpu_ms: number;
  readonly own_ms: number;
}

async function runProfile(
  profile: ImportProfile,
  programs: readonly Program[],
  order: readonly Program[],
  rounds: number,
): Promise<LoopResult> {
  const place = new Map(programs.map((program, index) => [program.kind, index]));
  const request = {
    preload_directory: PRELOAD,
    sys_path: packagePaths(),
    modules: profile.modules,
    programs: programs.map(({ source, stdin }) => ({ source, stdin })),
    order: order.map(({ kind }) => place.get(kind)),
    rounds,
  };
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "rollcall-bench-"));
  try {
    const file = path.join(directory, "request.json");
    fs.writeFileSync(file, JSON.stringify(request));
    const { stdout } = await promisify(execFile)(INTERPRETER, ["-S", SCRIPT, file], {
      env: { PATH: "/usr/bin:/bin", ...coldEnvironment() },
      maxBuffer: 64 << 20,
    });
    const answer = JSON.parse(stdout) as Answer;
    return {
      calls: answer.calls,
      elapsedMs: answer.elapsed_ms,
      cpuMs: answer.cpu_ms,
      ownMs: answer.own_ms,
      warmMs: new Map(programs.map(({ kind }, index) => [kind, answer.warm_ms[index] ?? 0])),
    };
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Runs Python programs in their order, those of each profile by themselves, one after the other.
 * @param order programs that end by themselves, as often as they are to be run.
 * @param rounds runs of each distinct program for its warm figure.
 */
export async function runForkLoop(order: readonly Program[], rounds: number): Promise<LoopResult> {
  const profiles: LoopResult[] = [];
  for (const [profile, members] of Map.groupBy(order, profileOf)) {
    const distinct = [...new Map(members.map((program) => [program.kind, program])).values()];
    profiles.push(await runProfile(profile, distinct, members, rounds));
  }
  const total = (pick: (one: LoopResult) => number) => profiles.reduce((all, one) => all + pick(one), 0);
  return {
    calls: total(({ calls }) => calls),
    elapsedMs: total(({ elapsedMs }) => elapsedMs),
    cpuMs: total(({ cpuMs }) => cpuMs),
    ownMs: total(({ ownMs }) => ownMs),
    warmMs: new Map(profiles.flatMap(({ warmMs }) => [...warmMs])),
  };
}

/** The same loop once on every core at the same time, as the service has its slots on all of them. */
export function runForkLoops(order: readonly Program[]): Promise<LoopResult[]> {
  return Promise.all(Array.from({ length: availableParallelism() }, () => runForkLoop(order, 1)));
}
