/** Every outcome through every adapter: what its client sees, and that outcomes of nobody's program are never a verdict. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OUTCOME_NAMES, type Outcome } from "../../src/contract/outcome.ts";
import { ask } from "../support/ask.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer({
    ROLLCALL_WIRE_ADAPTERS:
      "sandbox-fusion,code-judge,piston,dify-sandbox,open-r1,nemo-skills,verl-tool,openenv,mcp",
    ROLLCALL_WIRE_DIFY_SANDBOX_PREFIX: "dify",
    ROLLCALL_WIRE_NEMO_SKILLS_PREFIX: "nemo",
    ROLLCALL_WIRE_VERL_TOOL_PREFIX: "verl",
    ROLLCALL_WIRE_OPENENV_PREFIX: "openenv",
  });
});
afterAll(() => server.close());

type Table = Readonly<Record<Outcome, readonly [status: number, body: unknown]>>;

/** Asks for a program that ends with the outcome and compares with the table. */
function everyOutcome(name: string, path: string, bodyOf: (source: string) => object, table: Table): void {
  describe(name, () => {
    test("the table has every outcome", () => {
      expect(Object.keys(table).toSorted()).toEqual(OUTCOME_NAMES.toSorted());
    });
    test.each(OUTCOME_NAMES)("%s", async (outcome) => {
      const answer = await ask(`${server.url}${path}`, { body: bodyOf(`outcome ${outcome}`) });
      const [status, body] = table[outcome];
      expect(answer.status).toBe(status);
      if (body === null) expect(answer.text).toBe("");
      else expect(answer.json).toMatchObject(body as object);
    });
  });
}

const fusion = (status: string, command: string, return_code: number | null) =>
  [200, { status, message: "", compile_result: null, run_result: { status: command, return_code } }] as const;
const gone = [504, { detail: expect.any(String) as string }] as const;

everyOutcome("SandboxFusion /run_code", "/run_code", (code) => ({ language: "python", code }), {
  completed: fusion("Success", "Finished", 0),
  failed: fusion("Failed", "Finished", 1),
  signaled: fusion("Failed", "Finished", -11),
  compile_failed: [
    200,
    { status: "Failed", compile_result: { status: "Finished", return_code: 1 }, run_result: null },
  ],
  wall_limit: fusion("Failed", "TimeLimitExceeded", null),
  cpu_limit: fusion("Failed", "TimeLimitExceeded", null),
  memory_limit: fusion("Failed", "Finished", -9),
  output_limit: fusion("Failed", "Finished", -9),
  process_limit: fusion("Failed", "Finished", 1),
  disk_limit: fusion("Failed", "Finished", 1),
  cancelled: gone,
  sandbox_failed: [200, { status: "SandboxError", run_result: { status: "Error", return_code: null } }],
});

const judged = (success: boolean, reason: string, stdout: unknown = expect.any(String)) =>
  [200, { success, run_success: success, reason, stdout }] as const;

everyOutcome("code-judge /run", "/run", (solution) => ({ type: "python", solution }), {
  completed: judged(true, ""),
  failed: judged(false, ""),
  signaled: judged(false, ""),
  compile_failed: judged(false, ""),
  wall_limit: judged(false, "worker_timeout", "outcome wall_limitSuicide from timeout.\n"),
  cpu_limit: judged(false, "worker_timeout", "outcome cpu_limitSuicide from timeout.\n"),
  memory_limit: [200, { success: false, reason: "", stderr: "MemoryError\n" }],
  output_limit: judged(false, ""),
  process_limit: judged(false, ""),
  disk_limit: judged(false, ""),
  cancelled: [503, { detail: expect.any(String) as string }],
  sandbox_failed: judged(false, "internal_error", null),
});

const staged = (status: string | null, code: number | null, signal: string | null) =>
  [200, { run: { status, code, signal }, language: "python" }] as const;

everyOutcome(
  "Piston /api/v2/execute",
  "/api/v2/execute",
  (content) => ({ language: "python", version: "*", files: [{ content }] }),
  {
    completed: staged(null, 0, null),
    failed: staged("RE", 1, null),
    signaled: staged("SG", null, "SIGSEGV"),
    compile_failed: staged("RE", 1, null),
    wall_limit: staged("TO", null, "SIGKILL"),
    cpu_limit: staged("TO", null, "SIGKILL"),
    memory_limit: staged("SG", null, "SIGKILL"),
    output_limit: staged("EL", null, "SIGKILL"),
    process_limit: staged("RE", 1, null),
    disk_limit: staged("RE", 1, null),
    cancelled: [503, { message: expect.any(String) as string }],
    sandbox_failed: [500, null],
  },
);

const enveloped = (exit_code: number, error: string) =>
  [200, { code: 0, message: "success", data: { exit_code, error } }] as const;

everyOutcome(
  "dify-sandbox /v1/sandbox/run",
  "/dify/v1/sandbox/run",
  (code) => ({ language: "python3", code }),
  {
    completed: enveloped(0, ""),
    failed: enveloped(1, "process exited with code 1\n"),
    signaled: enveloped(-1, "process exited with code -1\n"),
    compile_failed: enveloped(1, "process exited with code 1\n"),
    wall_limit: enveloped(-1, "process exited with code -1\nerror: timeout\n"),
    cpu_limit: enveloped(-1, "process exited with code -1\nerror: timeout\n"),
    memory_limit: enveloped(-1, "process exited with code -1\nerror: memory limit exceeded\n"),
    output_limit: enveloped(-1, "process exited with code -1\nerror: output limit exceeded\n"),
    process_limit: enveloped(1, "process exited with code 1\n"),
    disk_limit: enveloped(1, "process exited with code 1\n"),
    cancelled: [503, { code: -503, message: "Too many requests", data: null }],
    sandbox_failed: [200, { code: -500, data: null }],
  },
);

const executed = (error: unknown) => [200, [{ execution: { error }, exception_str: null }]] as const;
const unknown = [200, [{ execution: null, exception_str: expect.any(String) as string }]] as const;

everyOutcome(
  "open-r1 /execute_batch",
  "/execute_batch",
  (script) => ({ scripts: [script], languages: ["python"], timeout: 5, request_timeout: 5 }),
  {
    completed: executed(null),
    failed: executed({ value: "1" }),
    signaled: unknown,
    compile_failed: executed({ value: "1" }),
    wall_limit: unknown,
    cpu_limit: unknown,
    memory_limit: unknown,
    output_limit: executed({}),
    process_limit: executed({ value: "1" }),
    disk_limit: executed({ value: "1" }),
    cancelled: unknown,
    sandbox_failed: unknown,
  },
);

const shelled = (process_status: string) => [200, { process_status }] as const;
const late = { process_status: "timeout", stdout: "", stderr: "Execution timed out after 5 seconds\n" };
const notAnswered = [502, { detail: expect.any(String) as string }] as const;

everyOutcome(
  "NeMo-Skills /execute of a program",
  "/nemo/execute",
  (generated_code) => ({ generated_code, timeout: 5, language: "shell" }),
  {
    completed: shelled("completed"),
    failed: shelled("error"),
    signaled: shelled("error"),
    compile_failed: shelled("error"),
    wall_limit: [200, late],
    cpu_limit: [200, late],
    memory_limit: [200, { process_status: "error", stderr: "MemoryError\n" }],
    output_limit: shelled("error"),
    process_limit: shelled("error"),
    disk_limit: shelled("error"),
    cancelled: notAnswered,
    sandbox_failed: notAnswered,
  },
);

const observed = (obs: unknown) => [200, { observations: [obs], dones: [false], valids: [true] }] as const;
const printed = (outcome: string, more = "") =>
  observed(`\n<result>\noutcome ${outcome}${more}\n</result>\n`);
const later = [503, { detail: expect.any(String) as string }] as const;
const timed = "\nExecution timed out after 10 seconds.";

everyOutcome(
  "verl-tool /get_observation",
  "/verl/get_observation",
  (code) => ({ trajectory_ids: ["t"], actions: [`So: <python>${code}</python>`] }),
  {
    completed: printed("completed"),
    failed: printed("failed"),
    signaled: printed("signaled"),
    compile_failed: printed("compile_failed"),
    wall_limit: printed("wall_limit", timed),
    cpu_limit: printed("cpu_limit", timed),
    memory_limit: printed("memory_limit", "\nMemoryError"),
    output_limit: printed("output_limit"),
    process_limit: printed("process_limit"),
    disk_limit: printed("disk_limit"),
    cancelled: later,
    sandbox_failed: later,
  },
);

const environment = (exit_code: number, stdout: string, stderr: string) =>
  [200, { observation: { stdout, stderr, exit_code }, reward: 0.1, done: false }] as const;
const overTime = "Code execution exceeded the maximum execution time of 30 seconds\n";
const unavailable = [503, { detail: expect.any(String) as string }] as const;

everyOutcome("OpenEnv /step", "/openenv/step", (code) => ({ action: { code } }), {
  completed: environment(0, "outcome completed", ""),
  failed: environment(1, "", ""),
  signaled: environment(1, "", "the step ended with signaled\n"),
  compile_failed: environment(1, "", ""),
  wall_limit: environment(1, "", overTime),
  cpu_limit: environment(1, "", overTime),
  memory_limit: environment(1, "", "MemoryError\n"),
  output_limit: environment(1, "", "the step ended with output_limit\n"),
  process_limit: environment(1, "", ""),
  disk_limit: environment(1, "", ""),
  cancelled: unavailable,
  sandbox_failed: unavailable,
});
