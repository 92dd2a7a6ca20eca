/**
 * code-judge's HTTP API. Everything but a bad body and overload is HTTP 200, and a batch has one result for each
 * submission, in order. `queue_timeout` is never answered: what was accepted is run, what cannot be accepted now
 * is refused as a whole, and its clients try again on any HTTP error.
 */
import { randomUUID } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { ExecuteOptions } from "../contract/executor.ts";
import type { Outcome } from "../contract/outcome.ts";
import type { Result } from "../contract/result.ts";
import type { Verdict } from "../contract/verdict.ts";
import { type Verification, VERIFICATION_BOUNDS } from "../contract/verification.ts";
import { createVerifier } from "../judge/verifier.ts";
import {
  during,
  endedInRun,
  inSeconds,
  isOverload,
  notCarriedOut,
  wallMs,
  type Adapter,
  type WireParts,
} from "./adapter.ts";
import { atOnce, type Program, runPrograms } from "./code-judge-batch.ts";
import { callOf, readModules } from "./code-judge-call.ts";
import { type ReplayOptions, Replaying } from "./code-judge-replaying.ts";
import * as body from "./fastapi.ts";
import { firstCharacters, MEMORY_ERROR, strip } from "./python-text.ts";

export interface CodeJudgeOptions {
  /** Wall time of a submission. Milliseconds. */
  readonly wallMs: number;
  readonly outputCharacters: number;
  readonly timeoutError: boolean;
  readonly modulesDirectory: string;
  /** Whether submissions of type `math` are judged, for which the original has no executor. */
  readonly math: boolean;
  readonly replay: ReplayOptions;
}

type Reason = "" | "internal_error" | "worker_timeout" | "queue_timeout" | "invalid_input";

/** `overload`: nobody's program is judged, the client is told to come again. */
const REASON: Readonly<Record<Outcome, Reason | "overload">> = {
  completed: "",
  failed: "",
  signaled: "",
  compile_failed: "",
  wall_limit: "worker_timeout",
  cpu_limit: "worker_timeout",
  memory_limit: "",
  output_limit: "",
  process_limit: "",
  disk_limit: "",
  cancelled: "overload",
  sandbox_failed: "internal_error",
};

interface SubmissionResult {
  readonly sub_id: string;
  readonly success: boolean;
  readonly run_success: boolean;
  /** Seconds. */
  readonly cost: number;
  readonly stdout: string | null;
  readonly stderr: string | null;
  readonly reason: Reason;
}

const Submission = body.model({
  sub_id: body.optional(body.nullable(body.text), null),
  type: body.required(body.literal("python", "cpp", "math")),
  options: body.optional(body.nullable(body.dictionary(body.text)), null),
  solution: body.required(body.text),
  input: body.optional(body.nullable(body.text), null),
  expected_output: body.optional(body.nullable(body.text), null),
});
type Submission = ReturnType<typeof Submission>;

const BatchSubmission = body.model({
  sub_id: body.optional(body.nullable(body.text), null),
  type: body.optional(body.literal("batch"), "batch"),
  submissions: body.required(body.list(Submission, 1)),
});

/** What the original's time limit prints before it ends a program. */
const SUICIDE = "Suicide from timeout.\n";

function notRun(submission: Submission, reason: Reason): SubmissionResult {
  return {
    sub_id: idOf(submission),
    success: false,
    run_success: false,
    cost: 0,
    stdout: null,
    stderr: null,
    reason,
  };
}

const idOf = ({ sub_id }: { readonly sub_id: string | null }): string =>
  sub_id === null || sub_id === "" ? randomUUID() : sub_id;

function stderrOf(result: Result, options: CodeJudgeOptions): string {
  const cap = options.outputCharacters;
  const { stderr, outcome } = result;
  if (REASON[outcome] === "worker_timeout" && options.timeoutError) {
    const line = `TimeoutError: the program did not end within ${inSeconds(options.wallMs)} s\n`;
    return firstCharacters(stderr, Math.max(0, cap - line.length)) + line;
  }
  const killed = outcome === "memory_limit" && !stderr.endsWith(MEMORY_ERROR);
  return firstCharacters(killed ? stderr + MEMORY_ERROR : stderr, cap);
}

function notCompiled(
  submission: Submission,
  { stderr }: Result,
  options: CodeJudgeOptions,
): SubmissionResult {
  return {
    ...notRun(submission, ""),
    stdout: "",
    stderr: firstCharacters(stderr, options.outputCharacters),
  };
}

/** @throws SandboxError for what says nothing about the program and is worth another try. */
function submissionResult(
  submission: Submission,
  result: Result,
  options: CodeJudgeOptions,
): SubmissionResult {
  const reason = REASON[result.outcome];
  if (reason === "overload") throw notCarriedOut(result);
  if (reason === "internal_error") return notRun(submission, reason);
  if (!endedInRun(result)) return notCompiled(submission, result, options);
  const isTimeout = reason === "worker_timeout";
  const run_success = !isTimeout && result.exit_code === 0;
  const { expected_output: expected } = submission;
  const wall = result.usage.wall_ms;
  return {
    sub_id: idOf(submission),
    success: run_success && (expected === null || strip(result.stdout) === strip(expected)),
    run_success,
    // The original knows a time limit by its cost.
    cost: inSeconds(isTimeout ? Math.max(wall, options.wallMs) : wall),
    stdout: firstCharacters(result.stdout + (isTimeout ? SUICIDE : ""), options.outputCharacters),
    stderr: stderrOf(result, options),
    reason,
  };
}

interface Judge {
  readonly options: CodeJudgeOptions;
  /** Wall time of a submission, within what the service allows. Milliseconds. */
  readonly wallMs: number;
  readonly modules: ReadonlyMap<string, string>;
  readonly replaying: Replaying;
}

function programOf(
  submission: Submission,
  { wallMs: wall, modules, replaying }: Judge,
  tenant: string | undefined,
): Program {
  const call = callOf(submission, wall, modules);
  const isAlone = call.runtime === "python" && call.stdin === undefined && call.files === undefined;
  return { call, replay: isAlone ? replaying.consider(submission.solution, tenant) : null };
}

const { answerLengthMax } = VERIFICATION_BOUNDS;

/** An answer against its expected expression; one without is no submission of this type. */
function verificationOf({ solution, expected_output }: Submission, wall_ms: number): Verification | null {
  if (expected_output === null || solution.length > answerLengthMax) return null;
  return { kind: "math", answer: solution, expected: expected_output, limits: { wall_ms } };
}

/** @throws SandboxError for what says nothing about the answer and is worth another try. */
function mathResult(submission: Submission, checked: Verdict): SubmissionResult {
  const { verdict, outcome, usage, detail } = checked;
  if (outcome === "cancelled") throw notCarriedOut(checked);
  if (verdict === "excluded") return notRun(submission, "internal_error");
  const isTimeout = outcome !== null && REASON[outcome] === "worker_timeout";
  return {
    sub_id: idOf(submission),
    success: verdict === "accepted",
    run_success: verdict !== "undecided",
    cost: inSeconds(usage.wall_ms),
    stdout: "",
    stderr: detail === null ? "" : `${detail}\n`,
    reason: isTimeout ? "worker_timeout" : "",
  };
}

async function judgeMath(
  submissions: readonly Submission[],
  parts: WireParts,
  { options: { math }, wallMs: wall }: Judge,
  options: ExecuteOptions,
): Promise<ReadonlyMap<Submission, SubmissionResult>> {
  const results = new Map<Submission, SubmissionResult>();
  const checks = submissions.flatMap((submission) => {
    if (submission.type !== "math") return [];
    const verification = verificationOf(submission, wall);
    results.set(submission, notRun(submission, math ? "invalid_input" : "internal_error"));
    return math && verification !== null ? [{ submission, verification }] : [];
  });
  if (checks.length === 0) return results;
  const verifier = createVerifier(parts.executor, { batchMax: checks.length });
  const verifications = checks.map(({ verification }) => verification);
  for await (const { index, verdict } of await verifier.verifyBatch(verifications, options)) {
    const { submission } = checks[index] as (typeof checks)[number];
    results.set(submission, mathResult(submission, verdict));
  }
  return results;
}

async function judgeAll(
  submissions: readonly Submission[],
  parts: WireParts,
  judge: Judge,
  options: ExecuteOptions,
): Promise<SubmissionResult[]> {
  const runnable = submissions.filter(({ type }) => type !== "math");
  const programs = runnable.map((submission) => programOf(submission, judge, options.tenant));
  const [results, mathResults] = await atOnce(options, (cancellable) => [
    runPrograms(programs, parts.executor, cancellable),
    judgeMath(submissions, parts, judge, cancellable),
  ]);
  const resultOf = new Map(runnable.map((submission, index) => [submission, results[index]]));
  return submissions.map((submission) => {
    const judged = mathResults.get(submission);
    if (judged !== undefined) return judged;
    const result = resultOf.get(submission);
    if (result === undefined) return notRun(submission, "internal_error");
    if (result === null) return notRun(submission, "invalid_input");
    return submissionResult(submission, result, judge.options);
  });
}

/** `/judge` says what `/run` says, without the output. */
function withoutOutput({ stdout: _stdout, stderr: _stderr, ...rest }: SubmissionResult) {
  return rest;
}

async function status(parts: WireParts) {
  const { runtimes, engines } = await parts.executor.describe();
  const python = runtimes.find(({ id }) => id === "python")?.engine;
  return {
    queue: await parts.queued(),
    num_workers: engines.find(({ engine }) => engine === python)?.slots ?? 0,
  };
}

export function codeJudge(options: CodeJudgeOptions): Adapter {
  const modules = readModules(options.modulesDirectory);

  return {
    routes(app, parts) {
      const wall = wallMs(options.wallMs / 1000, parts.limits);
      const replaying = new Replaying(parts, wall, options.replay);
      const judge: Judge = { options, wallMs: wall, modules, replaying };
      const one = async (request: FastifyRequest, reply: FastifyReply): Promise<SubmissionResult> => {
        const submission = body.readBody(Submission, request.body);
        const [result] = await during(parts, request, reply, (execute) =>
          judgeAll([submission], parts, judge, execute),
        );
        return result as SubmissionResult;
      };
      const many = async (request: FastifyRequest, reply: FastifyReply) => {
        const batch = body.readBody(BatchSubmission, request.body);
        const results = await during(parts, request, reply, (execute) =>
          judgeAll(batch.submissions, parts, judge, execute),
        );
        return { sub_id: idOf(batch), results };
      };
      app.get("/ping", (_request, reply) => reply.type("application/json").send('"pong"'));
      app.get("/status", () => status(parts));
      app.post("/run", one);
      app.post("/judge", async (request, reply) => withoutOutput(await one(request, reply)));
      for (const kind of ["batch", "long-batch"]) {
        app.post(`/run/${kind}`, many);
        app.post(`/judge/${kind}`, async (request, reply) => {
          const { sub_id, results } = await many(request, reply);
          return { sub_id, results: results.map(withoutOutput) };
        });
      }
    },
    sendError(error, reply) {
      body.sendFastapiError(error, reply, isOverload(error) ? 503 : error.status);
    },
  };
}
