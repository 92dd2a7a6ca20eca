/** What a caller gets for a call: exactly one Result with exactly one Outcome. */
import { Type, type Static } from "typebox";
import { ENCODINGS } from "./call.ts";
import { UsageSchema } from "./limits.ts";
import { OutcomeSchema } from "./outcome.ts";
import { dictionary, nullable } from "./schema-parts.ts";

export const ProgramErrorSchema = Type.Object(
  {
    type: Type.String({ description: "Class of the exception, as the program's language names it." }),
    message: Type.String(),
    line: nullable(
      Type.Integer({
        description: "Line of the program's own source, counted from 1; null when none is known.",
      }),
    ),
  },
  { $id: "ProgramError", additionalProperties: false },
);

/** An uncaught exception as the program itself reported it: information, never evidence. */
export type ProgramError = Static<typeof ProgramErrorSchema>;

export const COLLECT_ERRORS = ["not_found", "not_a_regular_file", "too_large", "unreadable"] as const;

export const CollectedFileSchema = Type.Object(
  {
    content: Type.Optional(Type.String()),
    encoding: Type.Optional(Type.Enum(ENCODINGS, { type: "string" })),
    error: Type.Optional(
      Type.Enum(COLLECT_ERRORS, { type: "string", description: "Why there is no content." }),
    ),
  },
  { $id: "CollectedFile", additionalProperties: false },
);
export type CollectedFile = Static<typeof CollectedFileSchema>;

export const CompileReportSchema = Type.Object(
  {
    exit_code: nullable(Type.Integer()),
    signal: nullable(Type.String()),
    stdout: Type.String(),
    stderr: Type.String({ description: "What the compiler said, warnings included; cut as output is." }),
    usage: UsageSchema,
    cached: Type.Boolean({
      description: "The program was made for an earlier call of the same source and files; usage is of then.",
    }),
  },
  { $id: "CompileReport", additionalProperties: false },
);

/** What the compile stage of a call gave. */
export type CompileReport = Static<typeof CompileReportSchema>;

export const SessionStateSchema = Type.Object(
  {
    id: Type.String(),
    state: Type.Enum(["kept", "lost"], {
      type: "string",
      description:
        "`kept`: the interpreter is alive with its state, whatever the outcome. `lost`: it is gone; the session takes no more calls.",
    }),
  },
  { $id: "SessionState", additionalProperties: false },
);

/** How a call left the session that it ran in. */
export type SessionState = Static<typeof SessionStateSchema>;

export const ResultSchema = Type.Object(
  {
    id: Type.String(),
    outcome: OutcomeSchema,
    exit_code: nullable(
      Type.Integer({
        description:
          "As `wait` reports it; null when the program was ended by a signal, was interrupted or never ran. Of `compile_failed` the compiler's, as stdout and stderr are.",
      }),
    ),
    signal: nullable(
      Type.String({ description: "Name of the signal that ended the program, e.g. SIGSEGV." }),
    ),
    stdout: Type.String(),
    stderr: Type.String(),
    output_encoding: Type.Enum(ENCODINGS, { type: "string" }),
    truncated: Type.Object(
      {
        stdout: Type.Integer({ description: "Bytes of stdout left out of the middle; 0 when all is there." }),
        stderr: Type.Integer({ description: "Bytes of stderr left out of the middle; 0 when all is there." }),
      },
      { additionalProperties: false },
    ),
    error: nullable(ProgramErrorSchema),
    value: nullable(Type.String({ description: "In `cell` mode the repr of a last bare expression." })),
    files: dictionary(CollectedFileSchema, { description: "One entry for each path of `collect`." }),
    compile: Type.Optional(CompileReportSchema),
    session: Type.Optional(SessionStateSchema),
    usage: UsageSchema,
    timing: Type.Object(
      {
        queued_ms: Type.Number({ description: "From acceptance to the grant of a slot. Milliseconds." }),
        started_ms: Type.Number({
          description: "From acceptance to the start of the program. Milliseconds.",
        }),
        run_ms: Type.Number({
          description: "From the start of the program until its sandbox was clean again. Milliseconds.",
        }),
      },
      { additionalProperties: false },
    ),
    detail: nullable(
      Type.String({
        description: "One sentence for people on outcomes of the caller or the service; null otherwise.",
      }),
    ),
  },
  { $id: "Result", additionalProperties: false },
);

/** The one answer to a call; see {@link ResultSchema} for units. */
export type Result = Static<typeof ResultSchema>;
