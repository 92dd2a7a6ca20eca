/**
 * One verification as a caller states it: an answer, or a program with test cases, and what is expected of it. The
 * same object is the body of `POST /v1/verify`, an item of its batch and the argument of `Verifier.verify`.
 *
 * A union discriminated by `kind`; each kind has exactly its own fields. Expected values are compared by the service
 * and are never given to a sandbox in which a program of the caller runs.
 */
import { Type, type Static, type TObject } from "typebox";
import { CALL_BOUNDS, CallSchema, PRIORITIES, RUNTIME_IDS } from "./call.ts";
import { LimitsSchema } from "./limits.ts";
import { dictionary } from "./schema-parts.ts";

/** Bounds on the shape of a verification; every one has a unit and none depends on configuration. */
export const VERIFICATION_BOUNDS = {
  casesMax: 1000,
  /** Characters of an answer that is text. */
  answerLengthMax: 1 << 20,
  expectedMax: 64,
  nameLengthMax: 128,
} as const;

const { answerLengthMax, casesMax, expectedMax, nameLengthMax } = VERIFICATION_BOUNDS;

const common = {
  id: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: CALL_BOUNDS.idLengthMax,
      pattern: "^[A-Za-z0-9._:-]+$",
      description: "The caller's name for it, found again in the Verdict. Default: a fresh UUID.",
    }),
  ),
};

const scheduling = {
  limits: Type.Optional(
    Type.Partial(LimitsSchema, {
      additionalProperties: false,
      description: "Bounds of each run; what is left out takes the default of the service or of the kind.",
    }),
  ),
  priority: Type.Optional(
    Type.Enum(PRIORITIES, { type: "string", description: "Lane in the queue. Default: normal." }),
  ),
  deadline_ms: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: CALL_BOUNDS.deadlineMsMax,
      description: "Milliseconds until the verdict is of no more use; queue time counts here.",
    }),
  ),
};

const textAnswer = Type.String({ maxLength: answerLengthMax, description: "The answer to be judged." });
const expectedTexts = Type.Union([
  Type.String({ maxLength: answerLengthMax, description: "The expected answer." }),
  Type.Array(Type.String({ maxLength: answerLengthMax }), {
    minItems: 1,
    maxItems: expectedMax,
    description: "Expected answers of which any will do.",
  }),
]);

const flag = (description: string) => Type.Optional(Type.Boolean({ description }));
const tolerance = (description: string) => Type.Optional(Type.Number({ minimum: 0, description }));
const tolerances = {
  absolute: tolerance("Greatest difference. Default: 0."),
  relative: tolerance("Greatest difference as a part of the greater of the two numbers. Default: 0."),
};
const ignoreCase = flag("Upper and lower case are the same. Default: false.");

const ExactSchema = Type.Object(
  {
    kind: Type.Literal("exact"),
    answer: textAnswer,
    expected: expectedTexts,
    trim: flag("White space at both ends does not count. Default: true."),
    ignore_case: ignoreCase,
    whitespace: Type.Optional(
      Type.Enum(["keep", "collapse", "remove"], {
        type: "string",
        description:
          "White space inside: `keep` (default), `collapse` each run to one blank, or `remove` it all.",
      }),
    ),
    ...common,
  },
  { $id: "ExactCheck", additionalProperties: false, description: "Two texts." },
);

const number = Type.Union([
  Type.Number(),
  Type.String({
    maxLength: 10_000,
    description: "A decimal number as text, so that no digit of it is lost.",
  }),
]);

const NumericSchema = Type.Object(
  {
    kind: Type.Literal("numeric"),
    answer: number,
    expected: number,
    ...tolerances,
    nan: Type.Optional(
      Type.Enum(["never", "equal"], {
        type: "string",
        description: "Whether NaN equals NaN. Default: never.",
      }),
    ),
    ...common,
  },
  { $id: "NumericCheck", additionalProperties: false, description: "Two numbers, compared as decimals." },
);

const MathSchema = Type.Object(
  {
    kind: Type.Literal("math"),
    answer: textAnswer,
    expected: expectedTexts,
    answer_form: Type.Optional(
      Type.Enum(["auto", "text", "expression"], {
        type: "string",
        description:
          "`text`: the last expression of a text that may hold prose. `expression`: the whole text is one expression. `auto` (default) looks which it is.",
      }),
    ),
    strict: flag("Variables matter, and a set is no tuple. Default: true."),
    set_relations: flag("A relation such as 1 < x < 2 may equal an interval. Default: false."),
    float_rounding: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100,
        description: "Digits that floats are rounded to. Default: 6.",
      }),
    ),
    numeric_precision: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 200, description: "Digits of numeric comparison. Default: 15." }),
    ),
    ...scheduling,
    ...common,
  },
  {
    $id: "MathCheck",
    additionalProperties: false,
    description: "Mathematical equality, as math-verify has it.",
  },
);

const CompareSchema = Type.Unsafe<
  | { readonly mode: "exact" }
  | { readonly mode: "lines" | "tokens"; readonly ignore_case?: boolean }
  | {
      readonly mode: "numbers";
      readonly ignore_case?: boolean;
      readonly absolute?: number;
      readonly relative?: number;
    }
>(
  discriminated("mode", "Compare", [
    Type.Object({ mode: Type.Literal("exact") }, { additionalProperties: false }),
    Type.Object(
      { mode: Type.Enum(["lines", "tokens"], { type: "string" }), ignore_case: ignoreCase },
      { additionalProperties: false },
    ),
    Type.Object(
      { mode: Type.Literal("numbers"), ignore_case: ignoreCase, ...tolerances },
      { additionalProperties: false },
    ),
  ]),
);
/** How a program's output is compared; the default is `lines`. */
export type Compare = Static<typeof CompareSchema>;

const { source, args, files, env, compile_ms } = CallSchema.properties;
const RUNTIME_DESCRIPTION = "As in a Call.";

const cases = {
  stop_at_first_failure: flag("Cases after the first that is not accepted are not run. Default: true."),
  total_wall_ms: Type.Optional(
    Type.Integer({
      minimum: 1,
      description:
        "Wall time of all cases together. Milliseconds. The case that goes beyond it is `limit`. Default: none.",
    }),
  ),
  with_results: flag("Each case comes back with its Result. Default: false."),
};

const StdioSchema = Type.Object(
  {
    kind: Type.Literal("stdio"),
    program: Type.Object(
      {
        runtime: Type.Enum(RUNTIME_IDS, { type: "string", description: RUNTIME_DESCRIPTION }),
        source,
        args,
        files,
        env,
        compile_ms,
      },
      { $id: "StdioProgram", additionalProperties: false },
    ),
    cases: Type.Array(
      Type.Object(
        {
          stdin: Type.Optional(Type.String({ description: "Default: empty." })),
          expected_stdout: Type.String(),
          compare: Type.Optional(CompareSchema),
        },
        { $id: "StdioCase", additionalProperties: false },
      ),
      { minItems: 1, maxItems: casesMax },
    ),
    compare: Type.Optional(CompareSchema),
    ...cases,
    ...scheduling,
    ...common,
  },
  {
    $id: "StdioCheck",
    additionalProperties: false,
    description: "A program, run once for each case on its standard input.",
  },
);

/** File of a python program whose function is called. */
export const PYTHON_MODULE = "solution.py";

/** Runtimes that a function can be called in. */
export const FUNCTION_RUNTIMES = ["python", "javascript", "node"] as const;

const identifier = (description: string) =>
  Type.String({ maxLength: nameLengthMax, pattern: "^[A-Za-z_$][A-Za-z0-9_$]*$", description });

const ValueCompareSchema = Type.Object(tolerances, { $id: "ValueCompare", additionalProperties: false });

const FunctionSchema = Type.Object(
  {
    kind: Type.Literal("function"),
    program: Type.Object(
      {
        runtime: Type.Enum(FUNCTION_RUNTIMES, { type: "string", description: RUNTIME_DESCRIPTION }),
        source,
        files,
        env,
      },
      { $id: "FunctionProgram", additionalProperties: false },
    ),
    function: identifier("Name of the function, or of the method when there is a class."),
    class: Type.Optional(identifier("Class that is instantiated without arguments for each case.")),
    cases: Type.Array(
      Type.Object(
        {
          args: Type.Optional(Type.Array(Type.Unknown(), { description: "JSON values. Default: none." })),
          args_json: Type.Optional(
            Type.String({ description: "In place of `args`: the text of a JSON list, handed on as it is." }),
          ),
          kwargs: Type.Optional(
            dictionary(Type.Unknown(), { description: "Arguments by name, for python only." }),
          ),
          expected: Type.Optional(Type.Unknown({ description: "The JSON value that must be returned." })),
          expected_json: Type.Optional(
            Type.String({
              description: "In place of `expected`: its JSON text, so that no digit of an integer is lost.",
            }),
          ),
          compare: Type.Optional(ValueCompareSchema),
        },
        { $id: "FunctionCase", additionalProperties: false },
      ),
      { minItems: 1, maxItems: casesMax },
    ),
    compare: Type.Optional(ValueCompareSchema),
    ...cases,
    ...scheduling,
    ...common,
  },
  {
    $id: "FunctionCheck",
    additionalProperties: false,
    description: "A function of a program, called once for each case in a process of its own.",
  },
);

export type ExactCheck = Static<typeof ExactSchema>;
export type NumericCheck = Static<typeof NumericSchema>;
export type MathCheck = Static<typeof MathSchema>;
export type StdioCheck = Static<typeof StdioSchema>;
export type FunctionCheck = Static<typeof FunctionSchema>;

/** A verification as a caller states it. */
export type Verification = ExactCheck | NumericCheck | MathCheck | StdioCheck | FunctionCheck;

/** The schema of each kind. */
export const CHECK_SCHEMAS = {
  exact: ExactSchema,
  numeric: NumericSchema,
  math: MathSchema,
  stdio: StdioSchema,
  function: FunctionSchema,
} as const;

export const VerificationSchema = Type.Unsafe<Verification>(
  discriminated("kind", "Verification", Object.values(CHECK_SCHEMAS)),
);

/** `oneOf` with the keyword that tells validators by which field to choose, so that an error is that of one branch. */
function discriminated(propertyName: string, id: string, branches: readonly TObject[]) {
  const tagsOf = ({ properties }: TObject): readonly unknown[] => {
    const field = properties[propertyName] as {
      readonly const?: unknown;
      readonly enum?: readonly unknown[];
    };
    return field.enum ?? [field.const];
  };
  return {
    $id: id,
    type: "object",
    discriminator: { propertyName },
    required: [propertyName],
    properties: { [propertyName]: { type: "string", enum: branches.flatMap(tagsOf) } },
    oneOf: branches,
  };
}
