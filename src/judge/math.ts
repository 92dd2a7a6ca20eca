/**
 * Mathematical equality by math-verify, one check in one fork of an interpreter that has it imported. Nothing of an
 * answer is run: it is text to parsers. The time limit is the run's own, from outside; the library's alarms are off.
 */
import type { Result } from "../contract/result.ts";
import type { MathCheck } from "../contract/verification.ts";
import { mayBecomeReward } from "../contract/outcome.ts";
import { ACCEPTED, type Judged, wrong } from "./exact.ts";
import type { Plan } from "./plan.ts";
import { deadlineOf, withoutUndefined, type Deadline } from "./scheduling.ts";

/** Reads a check on standard input, writes one word. Short, for it is compiled for each check. */
const SOURCE = String.raw`import json, math_verify.grader, math_verify.parser, sys
math_verify.grader.TIMEOUT_WARNING_SHOWN = math_verify.parser.TIMEOUT_WARNING_SHOWN = True
asked = json.load(sys.stdin)
read = lambda text: math_verify.parse(text, parsing_timeout=None)
expected = [value for text in asked["expected"] for value in read(text)]
answer = read(asked["answer"])
equal = math_verify.verify(expected, answer, timeout_seconds=None, **asked["options"])
sys.stdout.write("equal" if equal else "no_expected" if not expected else "different" if answer else "no_answer")
`;

const ENVIRONMENTS = ["$", "\\boxed", "\\(", "\\["] as const;
const COMMAND = /\\[a-zA-Z]+(?:\s*\{[^{}]*\})?/g;
const WORD = /\p{L}{3,}/gu;
const OF_EXPRESSIONS: ReadonlySet<string> = new Set(
  "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log exp sqrt inf infty max min gcd lcm and".split(
    " ",
  ),
);

/** Whether a text has words beside what an expression has. */
function isProse(text: string): boolean {
  const words = text.replace(COMMAND, " ").match(WORD) ?? [];
  return words.filter((word) => !OF_EXPRESSIONS.has(word.toLowerCase())).length > 1;
}

const hasEnvironment = (text: string): boolean => ENVIRONMENTS.some((mark) => text.includes(mark));

/** An expression that is the whole text; outside of an environment math-verify reads of `2\sqrt{3}` only the 2. */
const boxed = (text: string): string => `\\boxed{${text.trim()}}`;

function answerText(text: string, form: NonNullable<MathCheck["answer_form"]>): string {
  if (form === "auto") return hasEnvironment(text) || isProse(text) ? text : boxed(text);
  return form === "text" ? text : boxed(text);
}

const WORDS: ReadonlyMap<string, Judged> = new Map([
  ["equal", ACCEPTED],
  ["different", wrong("the answer is another expression")],
  ["no_answer", wrong("no expression is found in the answer")],
  ["no_expected", { verdict: "undecided", detail: "the expected answer is no expression that can be read" }],
]);

/** A run of our own program that does not end well says that the check could not be made. */
function judge(result: Result): Judged {
  if (!mayBecomeReward(result.outcome))
    return { verdict: "excluded", detail: result.detail ?? `the run is ${result.outcome}` };
  const said = result.outcome === "completed" ? WORDS.get(result.stdout) : undefined;
  return said ?? { verdict: "undecided", detail: `the check ended as ${result.outcome}` };
}

/** @param wallMs of a check that asks for no limit of its own. Milliseconds. */
export function planMath(check: MathCheck, deadline: Deadline, wallMs: number): Plan {
  const { answer, expected, answer_form = "auto", limits, priority } = check;
  const options = withoutUndefined({
    strict: check.strict,
    allow_set_relation_comp: check.set_relations,
    float_rounding: check.float_rounding,
    numeric_precision: check.numeric_precision,
  });
  return {
    total: 1,
    callOf: () =>
      withoutUndefined({
        runtime: "python" as const,
        source: SOURCE,
        stdin: JSON.stringify({
          answer: answerText(answer, answer_form),
          expected: [expected].flat().map((text) => (hasEnvironment(text) ? text : boxed(text))),
          options,
        }),
        limits: { ...limits, wall_ms: limits?.wall_ms ?? wallMs },
        priority,
        deadline_ms: deadlineOf(deadline),
      }),
    judge: (_index, result) => judge(result),
    pointerOf: (_index, pointer) => (pointer.startsWith("/stdin") ? "/answer" : pointer),
    stopAtFirstFailure: true,
    totalWallMs: null,
    resultsLengthMax: 0,
  };
}
