/**
 * The stages of a call in the one sandbox that it holds: compile, for a language that has such a stage, then run.
 * A call whose compile stage gave no program ends there, with that stage's evidence.
 */
import type { CallTicket } from "./call-ticket.ts";
import { type Compiled, compileKey, type CompiledPrograms } from "./compiled.ts";
import { nameOutcome } from "./conclude.ts";
import { runInTime } from "./patience.ts";
import type { Evidence, RunSpec, Sandbox } from "./ports.ts";

export interface StagesEnd {
  /** Of the stage that the call ended in. */
  readonly evidence: Evidence;
  /** Null for a language without a compile stage. */
  readonly compile: Compiled | null;
}

/** @throws SandboxFault */
export async function runStages(
  sandbox: Sandbox,
  ticket: CallTicket,
  programs: CompiledPrograms,
  now: () => number,
): Promise<StagesEnd> {
  const { spec, compile } = ticket.call;
  if (compile === null) return { evidence: await runInTime(sandbox, spec, ticket.signal), compile };
  const startedMs = now();
  const compiled = await programs.get(
    compileKey(ticket.tenant, ticket.call),
    ticket.signal,
    async () => compiledBy(await runInTime(sandbox, compile, ticket.signal)),
    ({ evidence }) => endedByItself(evidence, compile),
  );
  if (compiled.program === null) return { evidence: compiled.evidence, compile: compiled };
  const compiledMs = now() - startedMs;
  const evidence = await runInTime(sandbox, { ...spec, source: compiled.program }, ticket.signal);
  return { evidence: { ...evidence, startMs: compiledMs + evidence.startMs }, compile: compiled };
}

function compiledBy(evidence: Evidence): Compiled {
  const content = evidence.files[0]?.content;
  const program =
    evidence.exitCode === 0 && evidence.endedBy === null && Buffer.isBuffer(content) ? content : null;
  return { evidence, program, cached: false };
}

/** Whether the compiler came to its own end, which it will come to each time. */
function endedByItself(evidence: Evidence, { limits }: RunSpec): boolean {
  const outcome = nameOutcome(evidence, limits);
  return outcome === "completed" || outcome === "failed";
}
