/**
 * Entry of a host: a confined process that runs one program at a time. This thread speaks with the engine and
 * never runs the program, so it hears a cancellation and watches memory whatever the program does; the program
 * runs in an isolate on a thread that belongs to a Piscina worker.
 *
 * Arguments: path of the engine's socket, memory limit that the first isolate is made for.
 */
import { createRequire } from "node:module";
import net from "node:net";
import { MessageChannel } from "node:worker_threads";
import { Piscina } from "piscina";
import { FrameReader } from "../../lib/framing.ts";
import { CaptureReader, createCapture, type StreamIndex } from "./capture.ts";
import type { RunOutcome } from "./isolate-run.ts";
import {
  encode,
  type EndedMessage,
  TO_HOST_BYTES_MAX,
  type FromHost,
  parseToHost,
  type RunMessage,
} from "./protocol.ts";
import type { WorkerTask } from "./worker.ts";

const [, , socketPath = "", memoryBytesText = ""] = process.argv;
const MEMORY_WATCH_MS = 20;
const PROGRESS_EVERY_TICKS = 5;
const PROGRESS_TAIL_BYTES = 64 << 10;
/** Beyond its limit, so that V8's own and more exact bound comes first. Bytes. */
const MEMORY_SLACK_BYTES = 64 << 20;
const COLLECTED_BYTES_MAX = 64 << 20;

const worker = new Piscina<WorkerTask, RunOutcome>({
  filename: new URL(import.meta.url.endsWith(".ts") ? "worker.ts" : "worker.js", import.meta.url).href,
  name: "run",
  minThreads: 1,
  maxThreads: 1,
  concurrentTasksPerWorker: 1,
  // The default parks an idle thread, and nothing could be made ready on it.
  atomics: "disabled",
  workerData: { memoryBytes: Number(memoryBytesText) },
});

// A descriptor where the process was confined before it became this program, and may connect to nothing any more.
const socket = /^\d+$/.test(socketPath)
  ? new net.Socket({ fd: Number(socketPath) })
  : net.connect(socketPath);
const reader = new FrameReader(TO_HOST_BYTES_MAX);

function send(message: FromHost, blobs: readonly Uint8Array[] = []): void {
  socket.cork();
  for (const part of encode(message, blobs)) socket.write(part);
  socket.uncork();
}

/** The run of the moment, as this thread sees it. */
class Watch {
  readonly #message: RunMessage;
  readonly #capture: CaptureReader;
  readonly #end: (reason: "cancel" | "memory") => void;
  readonly #residentBefore = process.memoryUsage.rss();
  readonly #headSent: [number, number] = [0, 0];
  readonly #timer = setInterval(() => this.#tick(), MEMORY_WATCH_MS);
  #ticks = 0;
  memoryPeakBytes = 0;

  constructor(message: RunMessage, capture: CaptureReader, end: (reason: "cancel" | "memory") => void) {
    this.#message = message;
    this.#capture = capture;
    this.#end = end;
  }

  cancel(): void {
    this.#end("cancel");
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const grown = Math.max(0, process.memoryUsage.rss() - this.#residentBefore);
    this.memoryPeakBytes = Math.max(this.memoryPeakBytes, grown);
    if (grown > this.#message.limits.memoryBytes + MEMORY_SLACK_BYTES) this.#end("memory");
    // The first at once: what is about to end with the whole host has its output told.
    if (this.#ticks++ % PROGRESS_EVERY_TICKS === 0) this.#sendProgress(grown);
  }

  #sendProgress(memoryBytes: number): void {
    const streams = ([0, 1] as const).map((stream) =>
      this.#capture.read(stream, this.#headSent[stream], PROGRESS_TAIL_BYTES),
    );
    const totals = streams.map((stream) => stream.totalBytes) as [number, number];
    for (const stream of [0, 1] as const) this.#headSent[stream] += streams[stream]?.head.length ?? 0;
    send(
      { kind: "progress", call: this.#message.call, totals, memoryBytes },
      streams.flatMap((stream) => [stream.head, stream.tail]),
    );
  }
}

let watch: Watch | undefined;
/** Kept from run to run: shared memory is given back only when a collection of garbage happens upon it. */
let memory = { shared: createCapture(0), capture: new CaptureReader(createCapture(0), 0), outputBytes: 0 };

function captureFor(outputBytes: number): typeof memory {
  if (memory.outputBytes !== outputBytes) {
    const shared = createCapture(outputBytes);
    memory = { shared, capture: new CaptureReader(shared, outputBytes), outputBytes };
  }
  memory.capture.clear();
  return memory;
}

function collected(outcome: RunOutcome): { files: EndedMessage["files"]; contents: Buffer[] } {
  const files: { path: string; state: EndedMessage["files"][number]["state"] }[] = [];
  const contents: Buffer[] = [];
  let bytes = 0;
  for (const { path, kind, content } of outcome.files) {
    const isContent = kind === "text" || kind === "bytes";
    const data = isContent ? Buffer.from(content, kind === "text" ? "utf8" : "latin1") : Buffer.alloc(0);
    const fits = bytes + data.length <= COLLECTED_BYTES_MAX;
    if (fits) bytes += data.length;
    contents.push(fits ? data : Buffer.alloc(0));
    const state = fits ? "content" : "too_large";
    files.push({ path, state: isContent ? state : kind === "not_a_regular_file" ? kind : "not_found" });
  }
  return { files, contents };
}

async function run(message: RunMessage, [source, stdin, ...files]: readonly Buffer[]): Promise<void> {
  const { limits, call } = message;
  const { shared, capture } = captureFor(limits.outputBytes);
  const { port1, port2 } = new MessageChannel();
  port1.once("message", () => send({ kind: "started", call }));
  watch = new Watch(message, capture, (reason) => port1.postMessage(reason));
  const current = watch;
  try {
    const task: WorkerTask = {
      message,
      source: source ?? Buffer.alloc(0),
      stdin: stdin ?? Buffer.alloc(0),
      files,
      capture: shared,
      port: port2,
    };
    const outcome = await worker.run(task, { transferList: [port2] });
    const streams = ([0, 1] as const).map((stream: StreamIndex) => capture.read(stream));
    const { files: states, contents } = collected(outcome);
    send(
      {
        kind: "ended",
        call,
        ending: outcome.ending,
        exitCode: outcome.exitCode,
        wallMs: outcome.wallMs,
        cpuMs: outcome.cpuMs,
        report: outcome.report,
        files: states,
        isStuck: outcome.isStuck,
        totals: streams.map((stream) => stream.totalBytes) as [number, number],
        memoryPeakBytes: Math.max(current.memoryPeakBytes, outcome.heapBytes),
        residentBytes: process.memoryUsage.rss(),
      },
      [...streams.flatMap((stream) => [stream.head, stream.tail]), ...contents],
    );
  } catch (error) {
    send({
      kind: "fault",
      call,
      message: String(error instanceof Error ? error.stack : error).slice(0, 2000),
    });
  } finally {
    current.stop();
    port1.close();
    watch = undefined;
  }
}

socket.on("data", (chunk: Buffer) => {
  for (const frame of reader.push(chunk)) {
    const { message, blobs } = parseToHost(frame);
    if (message.kind === "cancel") watch?.cancel();
    else void run(message, blobs);
  }
});
// Without the engine there is nothing to live for; SIGKILL, because an isolate's thread may be beyond exit's reach.
socket.on("close", () => process.kill(process.pid, "SIGKILL"));
socket.on("error", () => process.kill(process.pid, "SIGKILL"));

await worker.run(undefined as unknown as WorkerTask, { name: "ready" });
const { node, v8 } = process.versions;
const isolatedVm = createRequire(import.meta.url)("isolated-vm/package.json") as { readonly version: string };
send({ kind: "ready", versions: { node, v8, isolated_vm: isolatedVm.version } });
