/** Piston: `POST /api/v2/execute`, one program a request. */
import type { Program } from "../../workload/mix.ts";
import { plainAnswer, type PlainAnswer, type Target } from "../targets/target.ts";
import { createPoster, type PeerOptions } from "./post.ts";

interface Stage {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
  readonly status?: string | null;
}

const LANGUAGE: Partial<Record<Program["runtime"], string>> = { python: "python", node: "javascript" };
/** Where it ends a program that prints more, by its default configuration. */
const CHARACTERS_MAX = 1024;
const WALL_MS = 3000;

function readAnswer({ stdout, stderr, code, status }: Stage): PlainAnswer {
  if (status === "TO") return { end: "wall_limit", stdout, stderr };
  if (code === null) return { end: "other", stdout, stderr };
  return { end: code === 0 ? "completed" : "failed", stdout, stderr };
}

export function createPistonTarget(options: PeerOptions): Target {
  const poster = createPoster(options);
  return {
    name: "Piston",
    batchMax: 1,
    pid: options.pid,
    metricsUrl: null,
    runs: ({ runtime }) => LANGUAGE[runtime] !== undefined,
    async send(calls, onAnswer) {
      const requests = calls.map(async ({ program }, index) => {
        const answer = await poster.post("/api/v2/execute", {
          language: LANGUAGE[program.runtime],
          version: "*",
          files: [{ content: program.source }],
          stdin: program.stdin,
          run_timeout: WALL_MS,
        });
        const { run } = answer as { run: Stage };
        onAnswer(index, plainAnswer(program, readAnswer(run), CHARACTERS_MAX));
      });
      await Promise.all(requests);
    },
    close: () => poster.close(),
  };
}
