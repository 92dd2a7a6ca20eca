/**
 * Whether a value is a Call, for programs that hand one over without HTTP, whose server checks bodies by the
 * same schema. What depends on configuration is checked by core for both.
 */
import { Compile } from "typebox/compile";
import { type Call, CallSchema, RUNTIME_IDS } from "./call.ts";
import { SandboxError } from "./errors.ts";
import { ForkSpecSchema, SessionCallSchema, SessionSpecSchema } from "./session.ts";

const compiled = Compile(CallSchema);
const sessionShapes = {
  session: Compile(SessionSpecSchema),
  session_call: Compile(SessionCallSchema),
  fork: Compile(ForkSpecSchema),
} as const;
type Shape = typeof compiled | (typeof sessionShapes)[keyof typeof sessionShapes];

/**
 * @param pointer JSON pointer of the call in what was handed over, empty for a single one.
 * @throws SandboxError `invalid_call` or `unknown_runtime` that names the field and what it must be.
 */
export function checkCall(value: unknown, pointer = ""): asserts value is Call {
  if (!compiled.Check(value)) refuse(compiled, value, pointer, "the call");
}

/**
 * The same for what a session is opened with, for a call in it and for its fork.
 * @throws SandboxError `invalid_call` or `unknown_runtime` that names the field and what it must be.
 */
export function checkSessionShape(shape: keyof typeof sessionShapes, value: unknown): void {
  const schema = sessionShapes[shape];
  if (!schema.Check(value)) refuse(schema, value, "", `the ${shape.replace("_", " ")}`);
}

function refuse(shape: Shape, value: unknown, pointer: string, whole: string): never {
  // "boolean" only says that a field is not allowed; the failure after it names it.
  const failure = shape.Errors(value).find(({ keyword }) => keyword !== "boolean");
  const path = `${pointer}${failure?.instancePath ?? ""}`;
  if (failure?.keyword === "enum" && failure.instancePath === "/runtime") {
    throw new SandboxError(
      "unknown_runtime",
      `there is no such runtime; there are ${RUNTIME_IDS.join(", ")}`,
      {
        path,
      },
    );
  }
  const named = Object.values(failure?.params ?? {})
    .flat()
    .join(", ");
  throw new SandboxError(
    "invalid_call",
    `${path === "" ? whole : path} ${failure?.message ?? "is not valid"}${named === "" ? "" : ` (${named})`}`,
    path === "" ? {} : { path },
  );
}
