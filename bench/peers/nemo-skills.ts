/** The sandbox of NeMo-Skills: `POST /execute`, one program a request, by itself. Exit codes are not told. */
import type { Program } from "../../workload/mix.ts";
import { plainAnswer, runsPython, type PlainAnswer, type Target } from "../targets/target.ts";
import { singleTarget, wallMsOf, type PeerOptions } from "./driver.ts";

interface ExecuteResponse {
  readonly process_status: "completed" | "error" | "timeout";
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_CHARACTERS = 10_000_000;

function readAnswer({ process_status, stdout, stderr }: ExecuteResponse): PlainAnswer {
  if (process_status === "timeout") return { end: "wall_limit", stdout: null, stderr };
  return { end: process_status === "completed" ? "answered" : "other", stdout, stderr };
}

export function createNemoSkillsTarget(options: PeerOptions): Target {
  return singleTarget(options, {
    name: "NeMo-Skills",
    runs: runsPython,
    async ask(program: Program, post) {
      const answer = await post("/execute", {
        generated_code: program.source,
        std_input: program.stdin,
        timeout: wallMsOf(program) / 1000,
        language: "python",
        max_output_characters: OUTPUT_CHARACTERS,
      });
      return plainAnswer(program, readAnswer(answer as ExecuteResponse));
    },
  });
}
