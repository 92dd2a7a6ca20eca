/**
 * A function of a program, called once for each case. What it returns comes back as JSON in a file and is compared
 * here; what is expected never enters the sandbox.
 *
 * The code that calls the function shares its process with the program, which can so make it hand back any value it
 * likes. That gains it nothing: it could have returned that value. The file has a name of its own for each call, so
 * that no program writes it by accident; nothing rests on its being secret.
 */
import { randomUUID } from "node:crypto";
import type { Call } from "../contract/call.ts";
import type { Result } from "../contract/result.ts";
import { type FunctionCheck, PYTHON_MODULE } from "../contract/verification.ts";
import { ACCEPTED, type Judged, wrong } from "./exact.ts";
import { readJson, sameJson } from "./json-value.ts";
import { judgeCase, type Plan, resultsLengthMax } from "./plan.ts";
import { deadlineOf, withoutUndefined, type Deadline } from "./scheduling.ts";

type Case = FunctionCheck["cases"][number];

/** Longest JSON text of a returned value. Characters. */
const VALUE_LENGTH_MAX = 16 << 20;

/** Loads the program as a module, so that what is below its main guard is not run. */
const PYTHON_SOURCE = `import json
import sys

asked = json.load(sys.stdin)
import solution

owner = solution if asked["class"] is None else getattr(solution, asked["class"])()
value = getattr(owner, asked["function"])(*asked["args"], **asked["kwargs"])


def plain(value):
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} is no JSON value")


try:
    text = '{"value":' + json.dumps(value, allow_nan=False, default=plain) + "}"
except (TypeError, ValueError, RecursionError) as error:
    text = json.dumps({"not_json": str(error)})
with open(asked["place"], "w") as file:
    file.write(text)
`;

function argsText({ args, args_json }: Case): string {
  return args_json ?? JSON.stringify(args ?? []);
}

function pythonCall(check: FunctionCheck, one: Case, place: string): Partial<Call> {
  const { program, class: owner = null } = check;
  const rest = JSON.stringify({ function: check.function, class: owner, kwargs: one.kwargs ?? {}, place });
  return {
    source: PYTHON_SOURCE,
    files: { ...program.files, [PYTHON_MODULE]: program.source },
    // The text of the arguments goes in as it is, so that 1.0 and long integers stay what they are.
    stdin: `{"args":${argsText(one)},${rest.slice(1)}`,
  };
}

/** Follows the program in the same script, where its names are in reach. */
function javascriptTail(check: FunctionCheck, one: Case, place: string): string {
  const owner = check.class === undefined ? "" : `(new ${check.class}()).`;
  return `
;(async () => {
  const { writeFileSync } = require("fs");
  const value = await ${owner}${check.function}(...JSON.parse(${JSON.stringify(argsText(one))}));
  let text;
  try {
    text = '{"value":' + JSON.stringify(value === undefined ? null : value) + "}";
  } catch (error) {
    text = JSON.stringify({ not_json: String(error) });
  }
  writeFileSync(${JSON.stringify(place)}, text);
})();
`;
}

function callOf(check: FunctionCheck, one: Case, place: string): Partial<Call> {
  const { program } = check;
  if (program.runtime === "python") return pythonCall(check, one, place);
  const { files } = program;
  return {
    source: program.source + javascriptTail(check, one, place),
    ...(files === undefined ? {} : { files }),
  };
}

const failed = (detail: string): Judged => ({ verdict: "program_failed", detail });

/** The value that was handed back, or what to say of there being none. */
function returned(result: Result): { readonly value: unknown } | Judged {
  const [file] = Object.values(result.files);
  if (file?.content === undefined)
    return failed(
      file?.error === "too_large"
        ? "the returned value is too long"
        : "the program ended before it returned a value",
    );
  if (file.encoding !== "utf8" || file.content.length > VALUE_LENGTH_MAX)
    return failed("the returned value is too long or no text");
  try {
    const read = readJson(file.content);
    if (typeof read === "object" && read !== null && Object.hasOwn(read, "value"))
      return { value: (read as { value: unknown }).value };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
  }
  return wrong("the returned value is no JSON");
}

function judgeValue(check: FunctionCheck, one: Case, result: Result): Judged {
  const answer = returned(result);
  if (!("value" in answer)) return answer;
  const expected = one.expected_json === undefined ? one.expected : readJson(one.expected_json);
  const tolerance = one.compare ?? check.compare ?? {};
  return sameJson(answer.value, expected, tolerance) ? ACCEPTED : wrong("the returned value is another");
}

export function planFunction(check: FunctionCheck, deadline: Deadline): Plan {
  const { program, cases, limits, priority } = check;
  return {
    total: cases.length,
    callOf(index) {
      const place = `value-${randomUUID()}.json`;
      const { source = "", ...rest } = callOf(check, cases[index] as Case, place);
      return withoutUndefined({
        runtime: program.runtime,
        source,
        ...rest,
        env: program.env,
        collect: [place],
        limits,
        priority,
        deadline_ms: deadlineOf(deadline),
      });
    },
    judge: (index, result) => judgeCase(result, (ended) => judgeValue(check, cases[index] as Case, ended)),
    pointerOf: (index, pointer) => {
      if (pointer.startsWith("/stdin")) return `/cases/${index}/args`;
      if (pointer === `/files/${PYTHON_MODULE}`) return "/program/source";
      const isOwn = pointer.startsWith("/limits") || pointer.startsWith("/deadline");
      return isOwn ? pointer : `/program${pointer}`;
    },
    stopAtFirstFailure: check.stop_at_first_failure ?? true,
    totalWallMs: check.total_wall_ms ?? null,
    resultsLengthMax: resultsLengthMax(check.with_results),
  };
}
