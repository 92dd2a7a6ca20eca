/**
 * Whether a value is a Call, for programs that hand one over without HTTP, whose server checks bodies by the
 * same schema. What depends on configuration is checked by core for both.
 */
import { Compile } from "typebox/compile";
import { type Call, CallSchema, RUNTIME_IDS } from "./call.ts";
import { SandboxError } from "./errors.ts";

const compiled = Compile(CallSchema);

/**
 * @param pointer JSON pointer of the call in what was handed over, empty for a single one.
 * @throws SandboxError `invalid_call` or `unknown_runtime` that names the field and what it must be.
 */
export function checkCall(value: unknown, pointer = ""): asserts value is Call {
  if (compiled.Check(value)) return;
  // "boolean" only says that a field is not allowed; the failure after it names it.
  const failure = compiled.Errors(value).find(({ keyword }) => keyword !== "boolean");
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
    `${path === "" ? "the call" : path} ${failure?.message ?? "is not valid"}${named === "" ? "" : ` (${named})`}`,
    path === "" ? {} : { path },
  );
}
