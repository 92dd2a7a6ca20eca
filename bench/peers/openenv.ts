/** OpenEnv's coding environment: `POST /step`, each request in an environment of its own. It takes no input. */
import { plainAnswer, runsPython, type PlainAnswer, type Target } from "../targets/target.ts";
import { singleTarget, type PeerOptions } from "./driver.ts";

interface Observed {
  readonly observation: { readonly stdout: string; readonly stderr: string; readonly exit_code: number };
}

function readAnswer({ observation: { stdout, stderr, exit_code } }: Observed): PlainAnswer {
  if (exit_code === 0) return { end: "completed", stdout, stderr, isMixed: true };
  // What a program printed before it failed is not shown.
  const isOver = stderr.includes("exceeded the maximum execution time");
  return { end: isOver ? "wall_limit" : "failed", stdout: null, stderr };
}

export function createOpenenvTarget(options: PeerOptions): Target {
  return singleTarget(options, {
    name: "OpenEnv",
    runs: (program) => runsPython(program) && program.stdin === "",
    async ask(program, post) {
      const answer = await post("/step", { action: { code: program.source } });
      return plainAnswer(program, readAnswer(answer as Observed));
    },
  });
}
