/** go-judge: `POST /run`, one command a request; the interpreter is the machine's own. */
import { ENDLESS_WALL_MS } from "../load/mixes.ts";
import { plainAnswer, runsPython, type PlainAnswer, type Target } from "../targets/target.ts";
import { createPoster, type PeerOptions } from "./post.ts";

interface RunResult {
  readonly status: string;
  readonly files?: Readonly<Record<string, string>>;
}

const OUTPUT_BYTES_MAX = 4 << 20;
const MEMORY_BYTES = 512 << 20;
const PROCESSES = 64;
const NS_PER_MS = 1e6;

function readAnswer({ status, files = {} }: RunResult): PlainAnswer {
  const output = { stdout: files["stdout"] ?? "", stderr: files["stderr"] ?? "" };
  if (status === "Accepted") return { end: "completed", ...output };
  if (status === "Nonzero Exit Status") return { end: "failed", ...output };
  return { end: status === "Time Limit Exceeded" ? "wall_limit" : "other", ...output };
}

function command(source: string, stdin: string, wallMs: number) {
  return {
    args: ["/usr/bin/python3", "main.py"],
    env: ["PATH=/usr/bin:/bin"],
    files: [
      { content: stdin },
      { name: "stdout", max: OUTPUT_BYTES_MAX },
      { name: "stderr", max: OUTPUT_BYTES_MAX },
    ],
    cpuLimit: 2 * wallMs * NS_PER_MS,
    clockLimit: wallMs * NS_PER_MS,
    memoryLimit: MEMORY_BYTES,
    procLimit: PROCESSES,
    copyIn: { "main.py": { content: source } },
  };
}

export function createGoJudgeTarget(options: PeerOptions): Target {
  const poster = createPoster(options);
  return {
    name: "go-judge",
    batchMax: 1,
    pid: options.pid,
    metricsUrl: null,
    runs: runsPython,
    async send(calls, onAnswer) {
      const requests = calls.map(async ({ program }, index) => {
        const wallMs = program.expect.outcome === "wall_limit" ? ENDLESS_WALL_MS : 10_000;
        const body = { cmd: [command(program.source, program.stdin, wallMs)] };
        const [result] = (await poster.post("/run", body)) as RunResult[];
        if (result === undefined) throw new Error("an answer with no result");
        onAnswer(index, plainAnswer(program, readAnswer(result)));
      });
      await Promise.all(requests);
    },
    close: () => poster.close(),
  };
}
