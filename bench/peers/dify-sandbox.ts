/** dify-sandbox: `POST /v1/sandbox/run`, one program a request; it takes no input. */
import type { Program } from "../../workload/mix.ts";
import { plainAnswer, type PlainAnswer, type Target } from "../targets/target.ts";
import { singleTarget, type PeerOptions } from "./driver.ts";

interface Envelope {
  readonly code: number;
  readonly message: string;
  readonly data: { readonly stdout: string; readonly error: string; readonly exit_code?: number } | null;
}

const LANGUAGE: Partial<Record<Program["runtime"], string>> = { python: "python3", node: "nodejs" };

function readAnswer({ code, message, data }: Envelope): PlainAnswer {
  if (code !== 0 || data === null) return { end: "other", stdout: "", stderr: message };
  const { stdout, error } = data;
  if (error.includes("error: timeout")) return { end: "wall_limit", stdout, stderr: error };
  return { end: error === "" ? "completed" : "failed", stdout, stderr: error };
}

export function createDifySandboxTarget(options: PeerOptions): Target {
  return singleTarget(options, {
    name: "dify-sandbox",
    runs: ({ runtime, stdin }) => LANGUAGE[runtime] !== undefined && stdin === "",
    async ask(program, post) {
      const answer = await post("/v1/sandbox/run", {
        language: LANGUAGE[program.runtime],
        code: program.source,
        preload: "",
        enable_network: false,
      });
      return plainAnswer(program, readAnswer(answer as Envelope));
    },
  });
}
