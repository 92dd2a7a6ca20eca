/**
 * One program in one isolate. The isolate runs on a thread of isolated-vm, so this one stays free to end it: at its
 * limits, on request, or at its own word.
 */
import { isUtf8 } from "node:buffer";
import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import ivm from "isolated-vm";
import type { ProgramReport } from "../../core/ports.ts";
import type { CaptureReader } from "./capture.ts";
import type { CallEnd } from "./guest-callbacks.ts";
import { linkFailure, ModuleGraph, ModuleNotFound } from "./module-graph.ts";
import { compileProgram } from "./program-form.ts";
import type { HostEnding, RunMessage } from "./protocol.ts";
import type { WarmIsolate } from "./warm-isolate.ts";

export interface RunTask {
  readonly message: RunMessage;
  readonly source: Uint8Array;
  readonly stdin: Uint8Array;
  readonly files: readonly Uint8Array[];
  readonly capture: CaptureReader;
  /** The memory that `capture` reads. */
  readonly shared: SharedArrayBuffer;
}

export interface RunOutcome {
  readonly ending: HostEnding;
  readonly exitCode: number;
  readonly report: ProgramReport;
  readonly files: readonly { readonly path: string; readonly kind: string; readonly content: string }[];
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly heapBytes: number;
  readonly isStuck: boolean;
}

/** After an isolate was told to end, this long until the thread it runs on is given up. Milliseconds. */
const DISPOSE_GRACE_MS = 250;
const WORK = "/work";
/** Turns after which a loop of timers that are always due lets the messages of this thread through. */
const TURNS_BETWEEN_BREATHS = 64;

/** Bytes as the isolate takes them: text when they are UTF-8, else one unit for each byte. */
function asGuestString(bytes: Uint8Array): { text: string; isText: boolean } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const isText = isUtf8(buffer);
  return { text: buffer.toString(isText ? "utf8" : "latin1"), isText };
}

export class IsolateRun {
  readonly #warm: WarmIsolate;
  readonly #task: RunTask;
  readonly #file: string;
  /**
   * Drawn anew for each call, and gone before the first statement of the program. A source that closes its wrapper by
   * itself may see it: all it can do with it is to run its own code.
   */
  readonly #runner = `run_${randomUUID().replaceAll("-", "")}`;
  readonly #cpuAtStart = process.cpuUsage();
  readonly #startedAt = performance.now();
  readonly #files: { path: string; kind: string; content: string }[] = [];
  readonly #ended = Promise.withResolvers<void>();
  #ending: HostEnding | undefined;
  #end: CallEnd | undefined;
  #heapBytes = 0;
  #isCatastrophe = false;
  #isAtRest = false;
  #timers: NodeJS.Timeout[] = [];

  constructor(warm: WarmIsolate, task: RunTask) {
    this.#warm = warm;
    this.#task = task;
    this.#file = posix.join(WORK, task.message.fileName);
  }

  /** Ends the program; what it wrote is kept. The first reason counts. */
  endBy(ending: HostEnding): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    if (!this.#warm.isolate.isDisposed) this.#warm.isolate.dispose();
    this.#ended.resolve();
  }

  /** The program is over and its isolate at rest: it is disposed of after the answer, which need not wait for that. */
  #finish(): void {
    this.#isAtRest = true;
    this.#ending ??= "exit";
    this.#ended.resolve();
  }

  async execute(): Promise<RunOutcome> {
    const { limits } = this.#task.message;
    this.#warm.listener = {
      end: (end) => this.#endItself(end),
      file: (path, kind, content) => this.#files.push({ path, kind, content }),
      memory: () => this.#memory(),
    };
    this.#warm.onCatastrophe = () => {
      this.#isCatastrophe = true;
      this.endBy("memory");
    };
    this.#timers.push(setTimeout(() => this.endBy("wall"), limits.wallMs));
    this.#watchCpu(limits.cpuMs);
    const running = this.#drive().catch((error: unknown) => this.#explain(error));
    await Promise.race([running, this.#ended.promise]);
    const isStuck = !(await this.#settlesSoon(running));
    for (const timer of this.#timers) clearTimeout(timer);
    this.#warm.listener = undefined;
    return this.#outcome(isStuck || this.#isCatastrophe);
  }

  async #settlesSoon(running: Promise<void>): Promise<boolean> {
    if (this.#isAtRest) return true;
    if (this.#isCatastrophe) return false;
    const grace = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => grace.resolve(false), DISPOSE_GRACE_MS);
    const settled = await Promise.race([running.then(() => true), grace.promise]);
    clearTimeout(timer);
    return settled;
  }

  /** Isolated-vm disposes by itself of an isolate that is over its memory limit, and says so by an error. */
  #explain(error: unknown): void {
    if (this.#ending !== undefined) return;
    if (!this.#warm.isolate.isDisposed) throw error;
    this.endBy("memory");
  }

  #endItself(end: CallEnd): void {
    if (this.#ending !== undefined || this.#end !== undefined) return;
    this.#end = end;
    // Possible here only, while the isolate's thread waits: once it runs it does not let go of its heap.
    const [heapTotal, , external] = this.#memory();
    this.#heapBytes = Math.max(0, heapTotal + external - this.#warm.idleBytes);
    this.#endWhenHalted(end.kind);
  }

  /** The isolate's thread waits for this very callback; it must be back in JavaScript before it can be ended. */
  #endWhenHalted(ending: HostEnding): void {
    if (this.#task.capture.isHalted) this.endBy(ending);
    else if (this.#ending === undefined) setImmediate(() => this.#endWhenHalted(ending));
  }

  #memory(): readonly [number, number, number] {
    const heap = this.#warm.isolate.getHeapStatisticsSync();
    return [heap.total_heap_size, heap.used_heap_size, heap.externally_allocated_size];
  }

  /** CPU time of this whole process: it runs one call at a time, and V8's helper threads work for it too. */
  #cpuMs(): number {
    const { user, system } = process.cpuUsage(this.#cpuAtStart);
    return (user + system) / 1000;
  }

  #watchCpu(limitMs: number): void {
    const left = limitMs - this.#cpuMs();
    if (left <= 0) this.endBy("cpu");
    else this.#timers.push(setTimeout(() => this.#watchCpu(limitMs), Math.max(5, left / 2)));
  }

  #call(name: string, ...args: unknown[]): Promise<unknown> {
    return this.#warm.enter.apply(undefined, [name, ...(args as ivm.Transferable[])], {
      result: { copy: true },
    });
  }

  /** On this thread: it runs nothing of the program. */
  #begin(): string {
    const { message } = this.#task;
    const source = Buffer.from(this.#task.source).toString("utf8");
    const stdin = asGuestString(this.#task.stdin);
    const files = this.#task.files.map(asGuestString);
    const header = {
      file: this.#file,
      runner: this.#runner,
      outputBytes: message.limits.outputBytes,
      collect: message.collect,
      version: process.version,
      versions: { node: process.versions.node, v8: process.versions.v8 },
      args: message.args,
      env: message.env,
      isStdinText: stdin.isText,
      files: files.map((file, index) => ({ path: message.filePaths[index], isText: file.isText })),
    };
    const shared = new ivm.ExternalCopy(this.#task.shared);
    const strings = [source, stdin.text, ...files.map((file) => file.text)];
    const handed = [JSON.stringify(header), shared.copyInto({ release: true }), ...strings];
    this.#warm.enter.applySync(undefined, ["begin", ...handed]);
    return source;
  }

  async #drive(): Promise<void> {
    const source = this.#begin();
    await this.#turn(() => this.#first(source));
    if (this.#ending === undefined && this.#warm.enter.applySync(undefined, ["endIfIdle"]) === true)
      return this.#finish();
    for (let turns = 1; this.#ending === undefined; turns++) {
      const waitMs = await this.#turn(() => this.#call("turn"));
      if (typeof waitMs === "number" && waitMs < 0) return this.#finish();
      if (typeof waitMs === "number" && waitMs > 0) await this.#sleep(waitMs);
      else if (turns % TURNS_BETWEEN_BREATHS === 0) await new Promise(setImmediate);
    }
  }

  #sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#timers = [...this.#timers.slice(0, 2), setTimeout(resolve, ms)];
    return Promise.race([promise, this.#ended.promise]);
  }

  /** A turn fails with a copy of what a promise was rejected with, when nobody handled that by the turn's end. */
  async #turn(enter: () => Promise<unknown>): Promise<unknown> {
    try {
      return await enter();
    } catch (error) {
      if (this.#warm.isolate.isDisposed) throw error;
      if (!(error instanceof Error)) return this.#call("rejectedPrimitive", error);
      const stack = error.stack?.split("\n    at (<isolated-vm boundary>)", 1)[0];
      return this.#call("rejected", error.name, error.message, stack);
    }
  }

  async #first(source: string): Promise<unknown> {
    const { isolate, context } = this.#warm;
    const program = await compileProgram(isolate, {
      source,
      file: this.#file,
      isCell: this.#task.message.cell,
      runner: this.#runner,
    });
    switch (program.kind) {
      case "script":
        return program.script.run(context, { copy: true });
      case "async-cell": {
        const body: ivm.Reference = await program.script.run(context, { reference: true });
        return this.#call("runAsyncCell", body.derefInto());
      }
      case "cell":
        return this.#call("runCell");
      case "failure":
        return this.#call("syntaxError", program.message, program.file, program.line, program.column);
      case "module":
        break;
    }
    return this.#runModule(program.module);
  }

  async #runModule(program: ivm.Module): Promise<unknown> {
    const { message, files } = this.#task;
    const texts = new Map(message.filePaths.map((path, index) => [posix.resolve(WORK, path), files[index]]));
    const graph = new ModuleGraph(this.#warm.isolate, {
      file: this.#file,
      exportNames: async (specifier) => (await this.#call("exportNames", specifier)) as string | undefined,
      textOf: (path) => {
        const bytes = texts.get(path);
        return bytes === undefined ? undefined : Buffer.from(bytes).toString("utf8");
      },
    });
    await this.#call("openModule", graph.name);
    try {
      const entry = await graph.link(program, this.#warm.context);
      return await entry.evaluate();
    } catch (error) {
      if (this.#warm.isolate.isDisposed || !(error instanceof ModuleNotFound || error instanceof SyntaxError))
        throw error;
      const failure = linkFailure(error, this.#file);
      if (failure instanceof ModuleNotFound) return this.#call("moduleNotFound", failure.message);
      return this.#call("syntaxError", failure.message, failure.file, failure.line, failure.column);
    }
  }

  #outcome(isStuck: boolean): RunOutcome {
    const report = this.#end === undefined ? {} : (JSON.parse(this.#end.report) as ProgramReport);
    const ending = this.#ending === "exit" && hitMemoryLimit(report) ? "memory" : (this.#ending ?? "memory");
    return {
      ending,
      exitCode: this.#end?.exitCode ?? 0,
      report,
      files: this.#files,
      wallMs: performance.now() - this.#startedAt,
      cpuMs: this.#cpuMs(),
      heapBytes: this.#heapBytes,
      isStuck,
    };
  }
}

/** Array buffers beyond the limit are refused by a RangeError; a program that dies of it died of memory. */
function hitMemoryLimit({ error }: ProgramReport): boolean {
  return error?.type === "RangeError" && error.message === "Array buffer allocation failed";
}
