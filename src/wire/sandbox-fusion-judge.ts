/**
 * SandboxFusion's online judge over data that comes with the request: programs on standard input, each case's output
 * compared here. There are no data sets of our own; a request that would need one is told so.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { SandboxError } from "../contract/errors.ts";
import type { Result } from "../contract/result.ts";
import type { Plan } from "../judge/plan.ts";
import { runPlan } from "../judge/run-plan.ts";
import { during, type WireParts } from "./adapter.ts";
import { extractCode } from "./code-extraction.ts";
import * as body from "./fastapi.ts";
import {
  codeCall,
  LANGUAGES,
  RunCode,
  runCodeAnswer,
  type RunCodeAnswer,
  type SandboxFusionOptions,
} from "./sandbox-fusion-code.ts";

const optionalText = body.optional(body.nullable(body.text), null);

const TestConfig = body.model({
  dataset_type: optionalText,
  language: body.optional(body.nullable(body.literal(...LANGUAGES)), null),
  locale: optionalText,
  is_fewshot: body.optional(body.nullable(body.boolean), null),
  compile_timeout: body.optional(body.nullable(body.float), null),
  run_timeout: body.optional(body.nullable(body.float), null),
  custom_extract_logic: optionalText,
  provided_data: body.optional(body.anything, null),
  extra: body.optional(body.dictionary(body.anything), {}),
});
type TestConfig = ReturnType<typeof TestConfig>;

const dataset = body.required(body.text);
const config = body.required(TestConfig);
const id = body.required(body.identity);

const Prompts = body.model({
  dataset,
  config,
  offset: body.optional(body.integer, 0),
  limit: body.optional(body.integer, 1_000_000),
});
const PromptById = body.model({ dataset, config, id });
const Submit = body.model({ dataset, id, completion: body.required(body.text), config });
const Metrics = body.model({ dataset, config, results: body.required(body.list(body.anything)) });
const MetricsFunction = body.model({ dataset, config });

/** The data set that the original knows as one of this class. */
const KNOWN_DATASET = "code_contests";
const CLASS = "CommonOJDataset";

/** What the original answers with a status of its own. */
class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;
  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

interface Asked {
  readonly dataset: string;
  readonly config: TestConfig;
}

function checkDataset({ dataset: name, config: { dataset_type } }: Asked): void {
  if (name === KNOWN_DATASET || dataset_type === CLASS) return;
  throw new Refused(
    400,
    dataset_type === null
      ? `no eval class found for dataset ${name}`
      : `eval class ${dataset_type} not found`,
  );
}

type Row = Readonly<Record<string, unknown>>;

const isRow = (value: unknown): value is Row =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function isGiven(data: unknown): boolean {
  return typeof data === "object" && data !== null && Object.keys(data).length > 0;
}

const noData = (name: string): Refused =>
  new Refused(400, `there is no data of dataset ${name} here: give it as config.provided_data`);

function rowOf({ dataset: name, config: { provided_data: data } }: Asked): Row {
  if (!isGiven(data)) throw noData(name);
  if (isRow(data)) return data;
  throw new Refused(400, "request.config.provided_data should be a dict with str -> str | int");
}

function rowsOf({ dataset: name, config: { provided_data: data } }: Asked): Row[] {
  if (!isGiven(data)) throw noData(name);
  if (Array.isArray(data) && data.every(isRow)) return data;
  throw new Refused(400, "request.config.provided_data should be a list of str -> str | int");
}

function column(row: Row, name: string): unknown {
  if (Object.hasOwn(row, name)) return row[name];
  throw new Refused(400, `config.provided_data has no '${name}'`);
}

/** A column that may be JSON as text. */
function jsonColumn(row: Row, name: string): unknown {
  const value = column(row, name);
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    throw new Refused(400, `'${name}' of config.provided_data is not JSON`);
  }
}

function promptOf(row: Row, { language }: TestConfig) {
  return {
    id: column(row, "id"),
    prompt: `${String(column(row, "content"))}\n\nWrite a whole program in ${language}. It reads standard input and writes its answer to standard output.`,
    labels: jsonColumn(row, "labels"),
  };
}

interface Case {
  readonly input: Readonly<Record<string, string>> & { readonly stdin: string };
  readonly output: Readonly<Record<string, string>> & { readonly stdout: string };
}

const isTexts = (value: unknown): value is Record<string, string> =>
  isRow(value) && Object.values(value).every((text) => typeof text === "string");

function casesOf(row: Row): Case[] {
  const cases = jsonColumn(row, "test");
  const isCase = (one: unknown): one is Case =>
    isRow(one) &&
    isTexts(one["input"]) &&
    isTexts(one["output"]) &&
    Object.hasOwn(one["input"], "stdin") &&
    Object.hasOwn(one["output"], "stdout");
  if (Array.isArray(cases) && cases.every(isCase)) return cases;
  throw new Refused(
    400,
    "'test' of config.provided_data is not a list of {input: {stdin}, output: {stdout}} of texts",
  );
}

const FLOAT = /^[+-]?(?:(?:\d+(?:_\d+)*)?\.?(?:\d+(?:_\d+)*)?(?:e[+-]?\d+(?:_\d+)*)?|inf(?:inity)?|nan)$/i;

/** The number that Python's `float` reads; null where it raises. */
function readFloat(text: string): number | null {
  const trimmed = text.trim();
  if (!FLOAT.test(trimmed) || !/\d|inf|nan/i.test(trimmed.replace(/e.*$/i, "") || "x")) return null;
  const plain = trimmed.replaceAll("_", "").toLowerCase();
  if (plain.endsWith("nan")) return Number.NaN;
  const infinity = /^([+-]?)inf/.exec(plain);
  return infinity === null ? Number(plain) : infinity[1] === "-" ? -Infinity : Infinity;
}

const RELATIVE_MAX = 1e-5;
const LEAST_MAGNITUDE = 1e-10;

function isSameLine(got: string, expected: string): boolean {
  const [one, other] = [got.toLowerCase(), expected.toLowerCase()];
  if (one.trim() === other.trim()) return true;
  const [a, b] = [readFloat(one), readFloat(other)];
  if (a === null || b === null) return false;
  return Math.abs(a - b) / Math.max(Math.abs(b), LEAST_MAGNITUDE) < RELATIVE_MAX;
}

/** Lines without white space around them, whatever their case; numbers alone on a line may differ by a hundred-thousandth. */
function isSameOutput(got: string, expected: string): boolean {
  const [one, other] = [got.trim().split("\n"), expected.trim().split("\n")];
  return one.length === other.length && other.every((line, index) => isSameLine(one[index] ?? "", line));
}

const SHOWN_MAX = 1000;

/** Both ends of a long text. */
function shorten(text: string): string {
  if (text.length <= SHOWN_MAX) return text;
  const kept = Math.floor((SHOWN_MAX - 3) / 2);
  return `${text.slice(0, kept)}...${text.slice(-kept)}`;
}

const shortened = (texts: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, shorten(text)]));

const COMPILED = new Set(["cpp", "go", "java"]);
const COMPILED_SECONDS = 10;
const SECONDS = 20;
const NOT_FETCHED: ReadonlyMap<string, string> = new Map();

interface Judging {
  readonly code: string;
  readonly language: (typeof LANGUAGES)[number];
  readonly cases: readonly Case[];
  readonly config: TestConfig;
}

function planOf({ code, language, cases, config: asked }: Judging, waitMs: number, parts: WireParts): Plan {
  const failed = (message: string) =>
    new SandboxError("internal", `Failed to check stdio test case: ${message}`);
  return {
    total: cases.length,
    callOf(index) {
      const request = body.readBody(RunCode, {
        code,
        language,
        stdin: cases[index]?.input.stdin,
        compile_timeout: asked.compile_timeout || COMPILED_SECONDS,
        run_timeout: asked.run_timeout || (COMPILED.has(language) ? COMPILED_SECONDS : SECONDS),
      });
      const call = codeCall(request, waitMs, parts.limits);
      if (call === null) throw failed(`there is no runner for '${language}' here`);
      return call;
    },
    judge(index, result) {
      const answer = answerOf(result, failed);
      const isRight =
        answer.status === "Success" &&
        isSameOutput(answer.run_result?.stdout ?? "", cases[index]?.output.stdout ?? "");
      return isRight
        ? { verdict: "accepted", detail: null }
        : { verdict: "wrong_answer", detail: "it failed" };
    },
    pointerOf: (_index, pointer) => pointer,
    stopAtFirstFailure: !asked.extra["run_all_cases"],
    totalWallMs: null,
    resultsLengthMax: Infinity,
  };
}

/** @throws SandboxError for what says nothing about the program. */
function answerOf(result: Result, failed: (message: string) => SandboxError): RunCodeAnswer {
  const answer = runCodeAnswer(result, NOT_FETCHED);
  if (answer.status === "SandboxError") throw failed(answer.message);
  return answer;
}

async function submit(
  parts: WireParts,
  { waitMs }: SandboxFusionOptions,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const asked = body.readBody(Submit, request.body);
  checkDataset(asked);
  const { language, custom_extract_logic: logic, extra } = asked.config;
  if (language === null) throw new Refused(400, `config.language field must exist for ${CLASS}, got None`);
  if (logic !== null) throw new Refused(400, "config.custom_extract_logic is not run here");
  const cases = casesOf(rowOf(asked));
  const code = extractCode(asked.completion, language);
  const plan = planOf({ code, language, cases, config: asked.config }, waitMs, parts);
  const { book } = await during(parts, request, reply, (options) => runPlan(parts.executor, plan, options));
  const tests = book.cases().map(({ index, verdict, result }) => {
    const { input, output } = cases[index] as Case;
    const passed = verdict === "accepted";
    const isShort = passed && !extra["return_full_case"];
    return {
      passed,
      exec_info: runCodeAnswer(result as Result, NOT_FETCHED),
      test_info: isShort ? { input: shortened(input), output: shortened(output) } : { input, output },
    };
  });
  return {
    id: asked.id,
    accepted: tests.every(({ passed }) => passed) && tests.length === cases.length,
    extracted_code: code,
    full_code: null,
    test_code: null,
    tests,
    extracted_type: null,
    extra: null,
  };
}

/** A route whose refusals have the original's shape. */
function judgeRoute(
  app: FastifyInstance,
  path: string,
  answer: (request: FastifyRequest, reply: FastifyReply) => unknown,
): void {
  app.post(path, async (request, reply) => {
    try {
      return await answer(request, reply);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return reply.code(error.status).send({ detail: error.message });
    }
  });
}

export function onlineJudge(app: FastifyInstance, parts: WireParts, options: SandboxFusionOptions): void {
  const prompts = (request: FastifyRequest) => {
    const asked = body.readBody(Prompts, request.body);
    checkDataset(asked);
    return rowsOf(asked).map((row) => promptOf(row, asked.config));
  };
  app.get("/list_datasets", () => Promise.resolve([]));
  judgeRoute(app, "/list_ids", (request) => prompts(request).map((prompt) => prompt.id));
  judgeRoute(app, "/get_prompts", prompts);
  judgeRoute(app, "/get_prompt_by_id", (request) => {
    const asked = body.readBody(PromptById, request.body);
    checkDataset(asked);
    return promptOf(rowOf(asked), asked.config);
  });
  judgeRoute(app, "/submit", (request, reply) => submit(parts, options, request, reply));
  // The original has no metrics of this class.
  judgeRoute(app, "/get_metrics", (request) => {
    checkDataset(body.readBody(Metrics, request.body));
    return {};
  });
  judgeRoute(app, "/get_metrics_function", (request) => {
    checkDataset(body.readBody(MetricsFunction, request.body));
    return { function: null };
  });
}
