/**
 * Whether a value is a Verification: by the schema of its kind, and by what no schema says. The service asks for both
 * of every verification, whichever way it came.
 */
import { Compile } from "typebox/compile";
import { RUNTIME_IDS } from "./call.ts";
import { SandboxError } from "./errors.ts";
import { CHECK_KINDS, type CheckKind } from "./verdict.ts";
import { CHECK_SCHEMAS, type FunctionCheck, PYTHON_MODULE, type Verification } from "./verification.ts";

const compiled = {
  exact: Compile(CHECK_SCHEMAS.exact),
  numeric: Compile(CHECK_SCHEMAS.numeric),
  math: Compile(CHECK_SCHEMAS.math),
  stdio: Compile(CHECK_SCHEMAS.stdio),
  function: Compile(CHECK_SCHEMAS.function),
} satisfies Record<CheckKind, unknown>;

function invalid(path: string, words: string): SandboxError {
  return new SandboxError(
    "invalid_call",
    `${path === "" ? "the verification" : path} ${words}`,
    path === "" ? {} : { path },
  );
}

function checkShape(value: unknown, kind: CheckKind, pointer: string): void {
  const schema = compiled[kind];
  if (schema.Check(value)) return;
  // "boolean" only says that a field is not allowed; the failure after it names it.
  const failure = schema.Errors(value).find(({ keyword }) => keyword !== "boolean");
  const path = `${pointer}${failure?.instancePath ?? ""}`;
  if (failure?.keyword === "enum" && failure.instancePath === "/program/runtime" && kind === "stdio")
    throw new SandboxError(
      "unknown_runtime",
      `there is no such runtime; there are ${RUNTIME_IDS.join(", ")}`,
      { path },
    );
  const named = Object.values(failure?.params ?? {})
    .flat()
    .join(", ");
  throw invalid(path, `${failure?.message ?? "is not valid"}${named === "" ? "" : ` (${named})`}`);
}

/** Whether a JSON value has an integer of which digits may have been lost when its text was read. */
function hasUnsafeInteger(value: unknown): boolean {
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value);
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some(hasUnsafeInteger);
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw invalid(path, "is not the text of a JSON value");
  }
}

function checkFunctionCases({ program, cases }: FunctionCheck, pointer: string): void {
  if (program.runtime === "python" && Object.hasOwn(program.files ?? {}, PYTHON_MODULE))
    throw new SandboxError("invalid_path", `${PYTHON_MODULE} is where the program itself goes`, {
      path: `${pointer}/program/files/${PYTHON_MODULE}`,
    });
  for (const [index, one] of cases.entries()) {
    const path = `${pointer}/cases/${index}`;
    if ((one.expected === undefined) === (one.expected_json === undefined))
      throw invalid(path, "must have one of expected and expected_json");
    if (one.expected_json !== undefined) parsed(one.expected_json, `${path}/expected_json`);
    if (one.args !== undefined && one.args_json !== undefined)
      throw invalid(path, "must have at most one of args and args_json");
    if (one.args_json !== undefined && !Array.isArray(parsed(one.args_json, `${path}/args_json`)))
      throw invalid(`${path}/args_json`, "must be the text of a JSON list");
    if (one.kwargs !== undefined && program.runtime !== "python")
      throw invalid(`${path}/kwargs`, `is for runtime python, not ${program.runtime}`);
    if (hasUnsafeInteger(one.expected))
      throw invalid(`${path}/expected`, "has an integer beyond 2^53: give it as expected_json");
    if (hasUnsafeInteger(one.args) || hasUnsafeInteger(one.kwargs))
      throw invalid(`${path}/args`, "have an integer beyond 2^53: give them as args_json");
  }
}

/**
 * @param pointer JSON pointer of the verification in what was handed over, empty for a single one.
 * @throws SandboxError `invalid_call` or `unknown_runtime` that names the field and what it must be.
 */
export function checkVerification(value: unknown, pointer = ""): asserts value is Verification {
  const kind = (value as { kind?: unknown } | null)?.kind;
  if (!CHECK_KINDS.some((known) => known === kind))
    throw invalid(`${pointer}/kind`, `must be one of ${CHECK_KINDS.join(", ")}`);
  checkShape(value, kind as CheckKind, pointer);
  const verification = value as Verification;
  if (verification.kind !== "function") return;
  try {
    checkFunctionCases(verification, pointer);
  } catch (error) {
    if (error instanceof RangeError) throw invalid(`${pointer}/cases`, "are nested too deeply");
    throw error;
  }
}
