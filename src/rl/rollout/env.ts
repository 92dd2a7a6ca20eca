/** The world of one rollout: it carries tool calls out and says what the rollout was worth. Single-use. */
import type { Turn } from "../ports.ts";
import type { Problem } from "../tasks/problem.ts";
import type { Grade, Grader } from "./grade.ts";
import type { Service } from "./service.ts";
import { runTool, type ToolOptions, type ToolRecord } from "./tool.ts";

export interface Env {
  /**
   * Carries out all calls of a turn, each the moment it is asked for.
   * @returns their records in the order of the calls, and why the service failed one of them, or null
   */
  step(turn: Turn): Promise<{ readonly calls: readonly ToolRecord[]; readonly serviceFailed: string | null }>;
  /** Ends the rollout. @throws Error the second time */
  conclude(answer: string | null): Promise<Grade>;
}

export interface EnvOptions {
  readonly service: Service;
  readonly tool: ToolOptions;
  readonly grade: Grader;
  readonly signal?: AbortSignal | undefined;
}

export function createEnv(problem: Problem, { service, tool, grade, signal }: EnvOptions): Env {
  let isOver = false;
  function assertOpen(): void {
    if (isOver) throw new Error(`the rollout of ${problem.id} is over`);
  }
  return {
    async step(turn) {
      assertOpen();
      const ran = await Promise.all(turn.toolCalls.map((call) => runTool(call, service, tool, signal)));
      return {
        calls: ran.map(({ record }) => record),
        serviceFailed: ran.find(({ serviceFailed }) => serviceFailed !== null)?.serviceFailed ?? null,
      };
    },
    async conclude(answer) {
      assertOpen();
      isOver = true;
      return answer === null ? { reward: 0, detail: null } : grade(answer, problem);
    },
  };
}
