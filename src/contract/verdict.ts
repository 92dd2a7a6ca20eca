/**
 * What comes of a verification: exactly one Verdict. It says whether an answer or a program's output is the expected
 * one, where an Outcome says only how a program ended.
 *
 * `excluded` is a fault of ours or the caller's own going: it says nothing about the program, and no reward may be
 * made of it.
 */
import { Type, type Static } from "typebox";
import { UsageSchema } from "./limits.ts";
import { OUTCOME_NAMES, type Outcome } from "./outcome.ts";
import { ResultSchema } from "./result.ts";
import { nullable } from "./schema-parts.ts";

/** Every verdict, with its reward: 1, 0, or null where none may be made of it. */
export const VERDICTS = {
  /** It is the expected answer; of a program, in every case. */
  accepted: 1,
  /** It is another. */
  wrong_answer: 0,
  /** The program ended by itself and not well, or gave no answer. */
  program_failed: 0,
  /** The program met a limit. */
  limit: 0,
  /** The check itself met a limit, or the expected answer cannot be read. */
  undecided: 0,
  /** Cancelled, not accepted, or our fault. */
  excluded: null,
} as const satisfies Record<string, 1 | 0 | null>;

export type VerdictName = keyof typeof VERDICTS;

export const VERDICT_NAMES = Object.keys(VERDICTS) as VerdictName[];

export const VerdictNameSchema = Type.Enum(VERDICT_NAMES, {
  type: "string",
  $id: "VerdictName",
  description: "Whether it is the expected answer, and if not, why not.",
});

/** The reward of a verdict: 1 or 0, or null when a trainer must drop the sample. */
export function rewardOf(verdict: VerdictName): 1 | 0 | null {
  return VERDICTS[verdict];
}

export const CHECK_KINDS = ["exact", "numeric", "math", "stdio", "function"] as const;
export type CheckKind = (typeof CHECK_KINDS)[number];

const detail = nullable(Type.String({ description: "One sentence for people; null when accepted." }));
const outcome = Type.Unsafe<Outcome | null>({
  type: ["string", "null"],
  enum: [...OUTCOME_NAMES, null],
  description: "How the run ended that decided; null when none did.",
});

export const CaseVerdictSchema = Type.Object(
  {
    index: Type.Integer({ description: "Place of the case among those that were given, from 0." }),
    verdict: VerdictNameSchema,
    outcome,
    detail,
    wall_ms: Type.Number({ description: "Wall time of its run. Milliseconds." }),
    result: Type.Optional(ResultSchema),
  },
  { $id: "CaseVerdict", additionalProperties: false },
);
export type CaseVerdict = Static<typeof CaseVerdictSchema>;

export const VerdictSchema = Type.Object(
  {
    id: Type.String(),
    kind: Type.Enum(CHECK_KINDS, { type: "string" }),
    verdict: VerdictNameSchema,
    reward: nullable(
      Type.Integer({ description: "1 or 0; null when the sample must be dropped, for it says nothing." }),
    ),
    outcome,
    detail,
    passed: Type.Integer({ description: "Cases that were accepted; 1 or 0 where there are no cases." }),
    total: Type.Integer({ description: "Cases that were given; 1 where there are no cases." }),
    cases: Type.Array(CaseVerdictSchema, {
      description:
        "Of `stdio` and `function`: the cases that were decided, in their order. Those left out after the first failure are not here.",
    }),
    usage: UsageSchema,
  },
  { $id: "Verdict", additionalProperties: false },
);

/** The one answer to a verification; see {@link VerdictSchema} for units. `usage` is that of all its runs. */
export type Verdict = Static<typeof VerdictSchema>;
