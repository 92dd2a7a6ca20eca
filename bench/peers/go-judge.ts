/** go-judge: `POST /run`, one command a request; the interpreter is the machine's own. */
import { plainAnswer, runsPython, type PlainAnswer, type Target } from "../targets/target.ts";
import { singleTarget, wallMsOf, type PeerOptions } from "./driver.ts";

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
  return singleTarget(options, {
    name: "go-judge",
    runs: runsPython,
    async ask(program, post) {
      const body = { cmd: [command(program.source, program.stdin, wallMsOf(program))] };
      const [result] = (await post("/run", body)) as RunResult[];
      if (result === undefined) throw new Error("an answer with no result");
      return plainAnswer(program, readAnswer(result));
    },
  });
}
