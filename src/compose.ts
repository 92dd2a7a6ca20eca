/**
 * The only file that joins core, engines and runtimes. Engine drivers load here, and only those that the
 * configuration asks for.
 */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { configOf, type PartialConfig } from "./config/load.ts";
import type { Config } from "./config/schema.ts";
import { createConfinement, type MachineConfinement } from "./confine/confinement.ts";
import type { DiagnoseOptions } from "./confine/doctor.ts";
import type { ConfinementOptions } from "./confine/options.ts";
import { checkCall, checkSessionShape } from "./contract/check-call.ts";
import type { RuntimeId } from "./contract/call.ts";
import { ISOLATION_TIERS } from "./contract/description.ts";
import type { Runtime } from "./contract/runtime.ts";
import { LocalExecutor } from "./core/local-executor.ts";
import { type CallObserver, SILENT_OBSERVER } from "./core/observer.ts";
import type { Engine } from "./core/ports.ts";
import type { Verifier } from "./contract/verifier.ts";
import { createVerifier, verifierOptions, type VerifierOptions } from "./judge/verifier.ts";
import type { SessionBounds, SessionShape } from "./core/sessions.ts";
import { packageVersion } from "./lib/package-version.ts";
import { RUNTIMES } from "./runtimes/registry.ts";

export interface ComposeLog {
  warn(fields: object, message: string): void;
}

export interface ComposeOptions {
  readonly observer: CallObserver;
  readonly log: ComposeLog;
  /** Checks the shape of a call; the HTTP server has its own check before. */
  readonly checkShape?: (call: unknown, pointer: string) => void;
  /** The same for what sessions take. */
  readonly checkSessionShape?: (shape: SessionShape, value: unknown) => void;
}

export interface Composed {
  readonly executor: ServiceExecutor;
  /** Its runs are calls of the executor. */
  readonly verifier: Verifier;
}

/** The machine cannot do what the configuration asks for; the message says what is missing and how to mend it. */
export class ServiceUnavailable extends Error {
  override readonly name = "ServiceUnavailable";
}

const PACKAGE_ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Where set-up puts the fork server's compiled part and the packages. */
const PYTHON_ROOT = join(PACKAGE_ROOT, ".rollcall", "python");
const FORK_SERVER = join(PYTHON_ROOT, "forkserver");
const INTERPRETER = "/usr/bin/python3";

/** Of a JavaScript host beside its isolate's memory. */
const ISOLATE_HOST_BYTES = 256 << 20;

/** More than there are cores, so that a program that waits does not hold a core back. */
function defaultSlots(): number {
  return Math.max(4, 2 * availableParallelism());
}

/** What a command of the machine's own /usr, which is the sandbox's, says its version is; empty when it is not there. */
function versionSaid(path: string, flag: string): string {
  const { stdout } = spawnSync(path, [flag], { encoding: "utf8" });
  return /\b(\d+\.\d+\.\d+)/.exec(stdout ?? "")?.[1] ?? "";
}

/** Path in the sandbox of what compiles a runtime's programs; null where nothing does. */
function compilerOf({ compile }: Runtime): string | null {
  return compile === null ? null : `/usr/bin/${compile.entry.argv[0]}`;
}

/** The runtimes that calls may name: those that are switched on and can be had in the sandbox. */
function runtimesOf(config: Config, log: ComposeLog): Runtime[] {
  return Object.values(RUNTIMES).filter((runtime) => {
    const { id } = runtime;
    if (!config.runtimes[id]) return false;
    const compiler = compilerOf(runtime);
    if (compiler === null || existsSync(join(config.container.rootfs || "/", compiler))) return true;
    log.warn({ runtime: id }, `the runtime ${id} is left out: there is no ${compiler} in the sandbox`);
    return false;
  });
}

/** Versions of languages by runtime; of a built image's own commands none is known. */
function versionsOf(config: Config): Record<Exclude<RuntimeId, "python">, string> {
  const own = config.container.rootfs === "";
  return {
    javascript: process.versions.node,
    node: process.versions.node,
    bash: own ? versionSaid("/usr/bin/bash", "--version") : "",
    cpp: own ? versionSaid("/usr/bin/g++", "-dumpfullversion") : "",
  };
}

function sessionBounds(config: Config["sessions"]): SessionBounds {
  return {
    max: config.max,
    tenantMax: config.tenantMax || config.max,
    callsMax: config.callsMax || defaultSlots(),
    waitingMax: config.waitingMax,
    idleMs: { default: Math.min(config.idleMs, config.idleMsMax), ceiling: config.idleMsMax },
    totalMs: { default: Math.min(config.totalMs, config.totalMsMax), ceiling: config.totalMsMax },
  };
}

/** LocalExecutor that also ends what it was composed of. */
class ServiceExecutor extends LocalExecutor {
  readonly #confinement: MachineConfinement;

  constructor(options: ConstructorParameters<typeof LocalExecutor>[0], confinement: MachineConfinement) {
    super(options);
    this.#confinement = confinement;
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#confinement.close();
  }
}

function confinementOptions(config: Config): ConfinementOptions {
  const { runtime, rootfs, cgroupParent, stateDirectory } = config.container;
  return {
    runtime,
    rootfs,
    cgroupParent,
    stateDirectory,
    minimum: config.isolation.minimum,
    confiner: { interpreter: config.python.interpreter || INTERPRETER, forkServerDirectory: FORK_SERVER },
  };
}

/** What `rollcall doctor` looks at, by the same rules as `compose`. */
export function doctorOptions(config: Config): DiagnoseOptions {
  return confinementOptions(config);
}

/** Builds the service's executor and starts its engines. */
export async function compose(config: Config, options: ComposeOptions): Promise<Composed> {
  const confinement = await createConfinement(confinementOptions(config));
  const runtimes = runtimesOf(config, options.log);
  const engines: Engine[] = [];
  const container = runtimes.some(({ engine }) => engine === "container")
    ? await composeContainer(config, confinement, options)
    : null;
  if (container !== null) engines.push(container);
  if (runtimes.some(({ engine }) => engine === "isolate"))
    engines.push(await composeIsolate(config, confinement, options));
  const versions = versionsOf(config);
  const executor = new ServiceExecutor(
    {
      engines,
      runtimes,
      limits: config.limits,
      queue: config.queue,
      sessions: sessionBounds(config.sessions),
      compiledBytesMax: config.compile.cacheBytes,
      observer: options.observer,
      version: packageVersion(),
      runtimeVersion: ({ id }) => (id === "python" ? (container?.pythonVersion ?? "") : versions[id]),
      now: () => performance.now(),
      newId: randomUUID,
      onFault: (engine, { kind, message }) => options.log.warn({ engine, kind }, message),
      ...(options.checkShape === undefined ? {} : { checkShape: options.checkShape }),
      ...(options.checkSessionShape === undefined ? {} : { checkSessionShape: options.checkSessionShape }),
    },
    confinement,
  );
  try {
    await executor.start();
    checkTier(engines, config.isolation.minimum);
    const missing = container?.missingModules ?? [];
    if (missing.length > 0)
      options.log.warn(
        { missing },
        "modules are missing in the python sandbox: programs that import them fail",
      );
  } catch (error) {
    await executor.close();
    throw error;
  }
  return { executor, verifier: createVerifier(executor, verifierOptions(config)) };
}

/** The executor alone, for a program that embeds it. */
export async function composeEmbedded(
  config: PartialConfig,
  options: Partial<ComposeOptions>,
): Promise<ServiceExecutor> {
  const { executor } = await compose(configOf(config, process.cwd()), {
    observer: options.observer ?? SILENT_OBSERVER,
    log: options.log ?? { warn: () => undefined },
    checkShape: checkCall,
    checkSessionShape,
  });
  return executor;
}

export type { CallObserver, Observed } from "./core/observer.ts";
export { createVerifier, type VerifierOptions };
export type { PartialConfig };

function checkTier(engines: readonly Engine[], minimum: Config["isolation"]["minimum"]): void {
  for (const engine of engines) {
    const { tier } = engine.describe();
    if (ISOLATION_TIERS.indexOf(tier) > ISOLATION_TIERS.indexOf(minimum)) {
      throw new ServiceUnavailable(
        `the ${engine.name} engine isolates at tier ${tier}, isolation.minimum asks for ${minimum}`,
      );
    }
  }
}

async function composeContainer(
  config: Config,
  confinement: MachineConfinement,
  { observer, log }: ComposeOptions,
) {
  const { ContainerEngine, PACKAGES_INSIDE } = await import("./engines/container/engine.ts");
  if (!existsSync(join(FORK_SERVER, "_slot.so"))) {
    throw new ServiceUnavailable(
      `the fork server is not built: ${join(FORK_SERVER, "_slot.so")} is missing; npm start builds it`,
    );
  }
  const packages = config.python.packagesDirectory || join(PYTHON_ROOT, "packages");
  const separate = existsSync(packages);
  return new ContainerEngine({
    confinement,
    slots: config.python.slots || defaultSlots(),
    interpreter: config.python.interpreter || INTERPRETER,
    forkServerDirectory: FORK_SERVER,
    packagesDirectory: separate ? packages : null,
    packagePaths: separate
      ? [PACKAGES_INSIDE]
      : ["/usr/local/lib/python3/dist-packages", "/usr/lib/python3/dist-packages"],
    nodePath: process.execPath,
    node: config.runtimes.node,
    spare: config.python.spare,
    diskBytes: config.limits.default.disk_bytes,
    onFault: (fault) => {
      observer.fault("container", fault.kind);
      log.warn({ kind: fault.kind }, fault.message);
    },
  });
}

async function composeIsolate(
  config: Config,
  confinement: MachineConfinement,
  { observer, log }: ComposeOptions,
): Promise<Engine> {
  const { createIsolateEngine } = await import("./engines/isolate/engine.ts");
  return createIsolateEngine({
    confinement,
    slots: config.javascript.slots || availableParallelism(),
    nodePath: process.execPath,
    isolateMemoryBytes: config.limits.default.memory_bytes,
    hostMemoryBytes: config.limits.ceiling.memory_bytes + ISOLATE_HOST_BYTES,
    onFault: (kind: string, message: string) => {
      observer.fault("isolate", kind);
      log.warn({ kind }, message);
    },
  });
}
