/** Piston: `POST /api/v2/execute`, one program a request. */
import type { Program } from "../../workload/mix.ts";
import { plainAnswer, type PlainAnswer, type Target } from "../targets/target.ts";
import { singleTarget, type PeerOptions } from "./driver.ts";

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
  const { charactersMax = CHARACTERS_MAX } = options;
  return singleTarget(options, {
    name: "Piston",
    runs: ({ runtime }) => LANGUAGE[runtime] !== undefined,
    async ask(program, post) {
      const answer = await post("/api/v2/execute", {
        language: LANGUAGE[program.runtime],
        version: "*",
        files: [{ content: program.source }],
        stdin: program.stdin,
        run_timeout: WALL_MS,
      });
      return plainAnswer(program, readAnswer((answer as { run: Stage }).run), charactersMax);
    },
  });
}
