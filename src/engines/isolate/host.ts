/**
 * Entry of a host: a confined process that runs one program at a time. The program runs in an isolate, on a thread
 * of isolated-vm; this thread is the host's only other one that does anything. It never runs the program, so it
 * hears a cancellation, keeps limits and watches memory whatever the program does.
 *
 * Arguments: path of the engine's socket, memory limit that the first isolate is made for.
 */
import { createRequire } from "node:module";
import net from "node:net";
import { FrameReader } from "../../lib/framing.ts";
import { CaptureReader, createCapture, type StreamIndex } from "./capture.ts";
import { IsolateRun, type RunOutcome } from "./isolate-run.ts";
import { IsolateSupply } from "./isolate-supply.ts";
import {
  encode,
  type EndedMessage,
  TO_HOST_BYTES_MAX,
  type FromHost,
  parseToHost,
  type RunMessage,
} from "./protocol.ts";
import { residentBytes } from "./resident-memory.ts";
import { RunWatch } from "./run-watch.ts";

const [, , socketPath = "", memoryBytesText = ""] = process.argv;
const COLLECTED_BYTES_MAX = 64 << 20;

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

const supply = new IsolateSupply(Number(memoryBytesText));
let running: IsolateRun | undefined;
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

function sendEnd(call: number, outcome: RunOutcome, watch: RunWatch, capture: CaptureReader): void {
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
      memoryPeakBytes: Math.max(watch.memoryPeakBytes, outcome.heapBytes),
      residentBytes: residentBytes(),
    },
    [...streams.flatMap((stream) => [stream.head, stream.tail]), ...contents],
  );
}

async function run(message: RunMessage, [source, stdin, ...files]: readonly Buffer[]): Promise<void> {
  const { limits, call } = message;
  const { shared, capture } = captureFor(limits.outputBytes);
  const taken = supply.take(limits.memoryBytes);
  const current = new IsolateRun(taken, {
    message,
    source: source ?? Buffer.alloc(0),
    stdin: stdin ?? Buffer.alloc(0),
    files,
    capture,
    shared,
  });
  running = current;
  const watch = new RunWatch({ message, capture, send, onMemory: () => current.endBy("memory") });
  try {
    sendEnd(call, await current.execute(), watch, capture);
  } catch (error) {
    send({
      kind: "fault",
      call,
      message: String(error instanceof Error ? error.stack : error).slice(0, 2000),
    });
  } finally {
    watch.stop();
    running = undefined;
    supply.replace(taken);
  }
}

socket.on("data", (chunk: Buffer) => {
  for (const frame of reader.push(chunk)) {
    const { message, blobs } = parseToHost(frame);
    if (message.kind === "cancel") running?.endBy("cancel");
    else void run(message, blobs);
  }
});
// Without the engine there is nothing to live for; SIGKILL, because an isolate's thread may be beyond exit's reach.
socket.on("close", () => process.kill(process.pid, "SIGKILL"));
socket.on("error", () => process.kill(process.pid, "SIGKILL"));

const { node, v8 } = process.versions;
const isolatedVm = createRequire(import.meta.url)("isolated-vm/package.json") as { readonly version: string };
send({ kind: "ready", versions: { node, v8, isolated_vm: isolatedVm.version } });
