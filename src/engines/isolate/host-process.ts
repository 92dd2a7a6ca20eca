/**
 * The engine's side of one host: a confined process, the socket it speaks on and the run it has.
 *
 * Invariant: a host has at most one run, so whatever happens to the host is that run's doing or our fault,
 * never a neighbour's. What the host says is checked; when it dies, what it had sent so far is still there.
 */
import type net from "node:net";
import type { Container, ContainerExit } from "../../confine/ports.ts";
import {
  type Captured,
  type CollectedBytes,
  type EndedBy,
  type Evidence,
  type ProgramReport,
  type RunSpec,
  SandboxFault,
} from "../../core/ports.ts";
import { FrameReader } from "../../lib/framing.ts";
import {
  encode,
  encodeRun,
  type EndedMessage,
  FROM_HOST_BYTES_MAX,
  parseFromHost,
  type ProgressMessage,
  type Received,
} from "./protocol.ts";

/** How long past its wall limit a run may go on before its host is killed. Milliseconds. */
const WATCHDOG_GRACE_MS = 500;
/**
 * From a run's being sent to the first word of it: the making of an isolate for an unusual memory limit is before
 * that. Milliseconds.
 */
const START_MS_MAX = 10_000;
/** A host may find its program over the wall limit this much before we do. Milliseconds. */
const CLOCK_TOLERANCE_MS = 50;
/** Share of its memory that a host must have reached to be taken for killed by the kernel for memory. */
const OOM_SHARE = 0.8;
const OUT_OF_MEMORY =
  /heap out of memory|Catastrophic out-of-memory|is_heap_oom|Allocation failed|std::bad_alloc/;

type Stream = { readonly head: Buffer[]; tail: Buffer; total: number };

interface CurrentRun {
  readonly call: number;
  readonly spec: RunSpec;
  readonly sentAt: number;
  startedAt: number | undefined;
  readonly streams: readonly [Stream, Stream];
  memoryBytes: number;
  /** Why the host was killed, when it was us. */
  killedFor: EndedBy | undefined;
  watchdog: NodeJS.Timeout;
  readonly settle: (evidence: Evidence | SandboxFault) => void;
}

export interface HostProcessOptions {
  readonly container: Container;
  readonly socket: net.Socket;
  /** Of the host's whole container. Bytes. */
  readonly memoryBytes: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

export class HostProcess {
  readonly versions: Promise<Readonly<Record<string, string>>>;
  /** Settles when the process and its socket are gone. */
  readonly exited: Promise<ContainerExit>;
  readonly #options: HostProcessOptions;
  readonly #reader = new FrameReader(FROM_HOST_BYTES_MAX);
  readonly #ready = Promise.withResolvers<Readonly<Record<string, string>>>();
  #run: CurrentRun | undefined;
  #calls = 0;
  #residentBytes = 0;
  #exit: ContainerExit | undefined;
  #isDoomed = false;
  #isAsked = false;

  constructor(options: HostProcessOptions) {
    this.#options = options;
    this.versions = this.#ready.promise;
    this.versions.catch(() => undefined);
    const { container, socket } = options;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => this.#lose());
    socket.on("close", () => this.#lose());
    this.exited = container.exited.then((exit) => this.#end(exit));
  }

  /** False when the next run needs another host. */
  get isUsable(): boolean {
    return !this.#isDoomed && this.#exit === undefined;
  }

  get calls(): number {
    return this.#calls;
  }

  /** Resident memory of the host after its last run. Bytes. */
  get residentBytes(): number {
    return this.#residentBytes;
  }

  /** @throws SandboxFault when the host, not the program, failed. */
  run(spec: RunSpec, signal: AbortSignal): Promise<Evidence> {
    if (this.#run !== undefined) throw new SandboxFault("host_busy", "a host was given a second run");
    if (!this.isUsable) return Promise.reject(new SandboxFault("host_died", "the host is gone"));
    const { promise, resolve, reject } = Promise.withResolvers<Evidence>();
    const call = ++this.#calls;
    const onAbort = () => this.#cancel(call);
    const settle = (result: Evidence | SandboxFault) => {
      signal.removeEventListener("abort", onAbort);
      clearTimeout(run.watchdog);
      this.#run = undefined;
      if (result instanceof SandboxFault) reject(result);
      else resolve(result);
    };
    const run: CurrentRun = {
      call,
      spec,
      settle,
      sentAt: this.#options.now(),
      startedAt: undefined,
      memoryBytes: 0,
      killedFor: undefined,
      streams: [
        { head: [], tail: Buffer.alloc(0), total: 0 },
        { head: [], tail: Buffer.alloc(0), total: 0 },
      ],
      watchdog: setTimeout(() => this.kill(), START_MS_MAX),
    };
    this.#run = run;
    this.#send(encodeRun(call, spec));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    return promise;
  }

  /** True of a host that ended although nobody here wanted it to. */
  get diedUnasked(): boolean {
    return this.#exit !== undefined && !this.#isAsked;
  }

  kill(): void {
    this.#isAsked = true;
    this.#lose();
  }

  /** What has lost its socket is of no use, and ends if it has not already. */
  #lose(): void {
    this.#isDoomed = true;
    if (this.#exit === undefined) this.#options.container.kill();
  }

  async close(): Promise<void> {
    this.#isAsked = true;
    this.#isDoomed = true;
    this.#options.socket.destroy();
    await this.#options.container.close();
  }

  #send(parts: readonly Uint8Array[]): void {
    const { socket } = this.#options;
    socket.cork();
    for (const part of parts) socket.write(part);
    socket.uncork();
  }

  #cancel(call: number): void {
    const run = this.#run;
    if (run?.call !== call) return;
    this.#send(encode({ kind: "cancel", call }));
    clearTimeout(run.watchdog);
    run.watchdog = setTimeout(() => this.#killFor(run, "cancel"), WATCHDOG_GRACE_MS);
  }

  #killFor(run: CurrentRun, reason: EndedBy): void {
    run.killedFor = reason;
    this.kill();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) this.#handle(parseFromHost(frame));
    } catch (error) {
      this.#run?.settle(
        new SandboxFault("host_protocol", `the host sent what no host sends: ${String(error)}`, {
          cause: error,
        }),
      );
      this.kill();
    }
  }

  #handle({ message, blobs }: ReturnType<typeof parseFromHost>): void {
    if (message.kind === "ready") return this.#ready.resolve(message.versions);
    const run = this.#run;
    if (run?.call !== message.call) return undefined;
    switch (message.kind) {
      case "progress":
        this.#started(run, message.ranMs);
        return noteProgress(run, { message, blobs });
      case "ended":
        return this.#ended(run, { message, blobs });
      case "fault":
        this.kill();
        return run.settle(new SandboxFault("host_fault", message.message));
    }
  }

  /** At the first word of a run: from here on its watchdog goes by the start of the program. */
  #started(run: CurrentRun, ranMs: number): void {
    if (run.startedAt !== undefined) return;
    const now = this.#options.now();
    run.startedAt = Math.max(run.sentAt, now - ranMs);
    clearTimeout(run.watchdog);
    const leftMs = run.startedAt + run.spec.limits.wall_ms + WATCHDOG_GRACE_MS - now;
    run.watchdog = setTimeout(() => this.#killFor(run, "wall"), leftMs);
  }

  #ended(run: CurrentRun, { message, blobs }: Received<EndedMessage>): void {
    const now = this.#options.now();
    if (message.isStuck) this.kill();
    if (message.ending === "wall" && now - run.sentAt < run.spec.limits.wall_ms - CLOCK_TOLERANCE_MS) {
      this.kill();
      return run.settle(
        new SandboxFault(
          "host_protocol",
          `the host ended a run at its wall limit after ${Math.round(now - run.sentAt)} ms`,
        ),
      );
    }
    // By the host's own measure, which counts from when it had the run and not from when it was sent.
    run.startedAt = Math.max(run.sentAt, now - message.wallMs);
    this.#residentBytes = message.residentBytes;
    const [stdoutHead, stdoutTail, stderrHead, stderrTail, ...contents] = blobs;
    return run.settle({
      ...this.#evidence(run, {
        stdout: captured(run.spec, message.totals[0], stdoutHead, stdoutTail),
        stderr: captured(run.spec, message.totals[1], stderrHead, stderrTail),
        memoryPeakBytes: message.memoryPeakBytes,
        cpuMs: message.cpuMs,
        endedBy: message.ending === "exit" ? null : message.ending,
      }),
      exitCode: message.ending === "exit" ? message.exitCode : null,
      signal: message.ending === "exit" ? null : KILLED,
      report: message.report,
      files: collectedFiles(run.spec, message, contents),
    });
  }

  /** The process is gone: with a run it had, that run's fate is decided here. */
  #end(exit: ContainerExit): ContainerExit {
    this.#exit = exit;
    this.#options.socket.destroy();
    this.#ready.reject(
      new SandboxFault("host_died", `the host ended before it was ready: ${describeExit(exit)}`),
    );
    const run = this.#run;
    if (run === undefined) return exit;
    const endedBy = run.killedFor ?? this.#blame(run, exit);
    if (endedBy === undefined) {
      run.settle(new SandboxFault("host_died", `the host ended during a run: ${describeExit(exit)}`));
      return exit;
    }
    const [stdout, stderr] = run.streams.map((stream) =>
      captured(run.spec, stream.total, Buffer.concat(stream.head), stream.tail),
    ) as [Captured, Captured];
    run.settle({
      ...this.#evidence(run, { stdout, stderr, endedBy, memoryPeakBytes: run.memoryBytes, cpuMs: 0 }),
      oomKills: endedBy === "memory" ? 1 : 0,
    });
    return exit;
  }

  /** Memory, when V8 said so as it died or when it was killed at its bound: by its cgroup's count, else by its own. */
  #blame(run: CurrentRun, exit: ContainerExit): EndedBy | undefined {
    if (OUT_OF_MEMORY.test(exit.stderr)) return "memory";
    const wasKilled = exit.signal === "SIGKILL" || exit.code === 128 + KILLED;
    if (!wasKilled || this.#isAsked) return undefined;
    if (exit.reachedMemoryBound !== null) return exit.reachedMemoryBound ? "memory" : undefined;
    const bound = Math.min(this.#options.memoryBytes, run.spec.limits.memory_bytes);
    return run.memoryBytes > bound * OOM_SHARE ? "memory" : undefined;
  }

  #evidence(
    run: CurrentRun,
    seen: {
      stdout: Captured;
      stderr: Captured;
      endedBy: EndedBy | null;
      memoryPeakBytes: number;
      cpuMs: number;
    },
  ): Evidence {
    const now = this.#options.now();
    const startedAt = run.startedAt ?? run.sentAt;
    return {
      exitCode: null,
      signal: KILLED,
      endedBy: seen.endedBy,
      oomKills: 0,
      forksRefused: 0,
      diskFull: false,
      stdout: seen.stdout,
      stderr: seen.stderr,
      files: run.spec.collect.map((path) => ({ path, content: "unreadable" as const })),
      report: {} satisfies ProgramReport,
      usage: {
        wall_ms: now - startedAt,
        cpu_ms: seen.cpuMs,
        memory_peak_bytes: seen.memoryPeakBytes,
        processes: 1,
      },
      startMs: startedAt - run.sentAt,
      runMs: now - startedAt,
    };
  }
}

/** A run that was ended has, like a process, no exit code but SIGKILL. */
const KILLED = 9;

function describeExit({ code, signal, stderr }: ContainerExit): string {
  const said = stderr.trim().slice(-400);
  return `${signal ?? `exit code ${code}`}${said === "" ? "" : `, having said: ${said}`}`;
}

function noteProgress(run: CurrentRun, { message, blobs }: Received<ProgressMessage>): void {
  run.memoryBytes = message.memoryBytes;
  run.streams.forEach((stream, index) => {
    const held = stream.head.reduce((sum, part) => sum + part.length, 0);
    const head = blobs[2 * index]?.subarray(0, Math.max(0, run.spec.limits.output_bytes - held));
    // Copied: the frame that the parts are cut from is larger than they are.
    if (head !== undefined && head.length > 0) stream.head.push(Buffer.from(head));
    stream.tail = Buffer.from(blobs[2 * index + 1] ?? []);
    stream.total = message.totals[index] ?? 0;
  });
}

/** Never more than the cap, nor more than was written, whatever the host says. */
function captured(
  { limits }: RunSpec,
  total: number,
  head: Buffer = Buffer.alloc(0),
  tail: Buffer = Buffer.alloc(0),
): Captured {
  const headKept = head.subarray(0, limits.output_bytes);
  const tailKept = tail.subarray(0, limits.output_bytes - headKept.length);
  return { head: headKept, tail: tailKept, totalBytes: Math.max(total, headKept.length + tailKept.length) };
}

function collectedFiles(spec: RunSpec, message: EndedMessage, contents: readonly Buffer[]): CollectedBytes[] {
  return spec.collect.map((path) => {
    const index = message.files.findIndex((file) => file.path === path);
    const state = message.files[index]?.state ?? "unreadable";
    return { path, content: state === "content" ? (contents[index] ?? Buffer.alloc(0)) : state };
  });
}
