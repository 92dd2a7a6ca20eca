/**
 * From a Call as stated to one fully decided: everything that depends on more than the schema is checked here,
 * so that a call that was accepted can be carried out.
 */
import { type Call, CALL_BOUNDS, type FileContent, type Priority, RUNTIME_IDS } from "../contract/call.ts";
import { SandboxError } from "../contract/errors.ts";
import type { LimitPolicy, Limits } from "../contract/limits.ts";
import type { CompileStage, Runtime } from "../contract/runtime.ts";
import { compileLimits, decideLimits } from "./clamp.ts";
import { checkAllFiles, checkDistinct, normalisePath } from "./paths.ts";
import type { RunSpec, SandboxFile } from "./ports.ts";

export interface AcceptedCall {
  readonly id: string;
  readonly runtime: Runtime;
  /** The run stage; of a compiled language its source is what the compile stage makes, and empty until then. */
  readonly spec: RunSpec;
  readonly compile: RunSpec | null;
  readonly priority: Priority;
  readonly deadlineMs: number | null;
  readonly encoding: "utf8" | "base64";
  /** Memory that the call takes while it waits. Bytes. */
  readonly bytes: number;
}

export interface AcceptOptions {
  readonly runtimes: Readonly<Record<string, Runtime>>;
  readonly limits: LimitPolicy;
  readonly newId: () => string;
}

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * @param pointer JSON pointer of the call in the request, empty for a single one.
 * @throws SandboxError that says what is wrong and what is allowed.
 */
export function acceptCall(call: Call, options: AcceptOptions, pointer = ""): AcceptedCall {
  const runtime = Object.hasOwn(options.runtimes, call.runtime) ? options.runtimes[call.runtime] : undefined;
  if (runtime === undefined) {
    throw new SandboxError(
      "unknown_runtime",
      `there is no runtime ${JSON.stringify(call.runtime)} here; there are ${Object.keys(options.runtimes).join(", ") || RUNTIME_IDS.join(", ")}`,
      { path: `${pointer}/runtime` },
    );
  }
  const mode = call.mode ?? "script";
  if (!runtime.modes.includes(mode)) {
    throw new SandboxError(
      "invalid_call",
      `mode ${mode} is not for runtime ${runtime.id}, which has ${runtime.modes.join(", ")}`,
      { path: `${pointer}/mode` },
    );
  }
  const limits = decideLimits(call.limits, options.limits, pointer);
  const source = textBytes(call.source, CALL_BOUNDS.sourceBytesMax, `${pointer}/source`);
  const stdin =
    call.stdin === undefined ? EMPTY : textBytes(call.stdin, CALL_BOUNDS.stdinBytesMax, `${pointer}/stdin`);
  const names = [
    runtime.entry.fileName,
    ...(runtime.compile === null ? [] : [runtime.compile.entry.fileName]),
  ];
  const files = acceptFiles(call.files, names, `${pointer}/files`);
  const collect = (call.collect ?? NONE).map((path, index) =>
    normalisePath(path, `${pointer}/collect/${index}`),
  );
  if (collect.length > 1) checkDistinct(collect, `${pointer}/collect`);
  const args = acceptArgs(call.args, `${pointer}/args`);
  const env = acceptEnv(call.env, `${pointer}/env`);
  const spec = {
    entry: runtime.entry,
    source,
    stdin,
    args,
    env,
    files,
    collect,
    cell: mode === "cell",
    limits,
  };
  const compile =
    runtime.compile === null
      ? null
      : compileSpec(runtime.compile, source, files, compileLimits(call.compile_ms, limits, options.limits));
  return {
    id: call.id ?? options.newId(),
    runtime,
    spec: compile === null ? spec : { ...spec, source: EMPTY },
    compile,
    priority: call.priority ?? "normal",
    deadlineMs: call.deadline_ms ?? null,
    encoding: call.output_encoding ?? "utf8",
    bytes:
      source.length +
      stdin.length +
      files.reduce((sum, file) => sum + file.content.length, 0) +
      textsBytes(args, envTexts(env), collect) +
      CALL_BYTES,
  };
}

function compileSpec(
  { entry, artifact }: CompileStage,
  source: Buffer,
  files: readonly SandboxFile[],
  limits: Limits,
): RunSpec {
  return {
    entry,
    source,
    stdin: EMPTY,
    args: NONE,
    env: {},
    files,
    collect: [artifact],
    cell: false,
    limits,
  };
}

/** What a call takes besides its contents. */
const CALL_BYTES = 1024;
const EMPTY = Buffer.alloc(0);
const NONE: readonly string[] = [];

function tooLarge(what: string, bytes: number, max: number, path: string): SandboxError {
  return new SandboxError("call_too_large", `${what} has ${bytes} bytes, the most is ${max}`, { path });
}

/** Bytes of texts as the kernel counts those of a program: each with a NUL at its end. */
function textsBytes(...lists: readonly (readonly string[])[]): number {
  return lists.reduce(
    (sum, texts) => texts.reduce((bytes, text) => bytes + Buffer.byteLength(text) + 1, sum),
    0,
  );
}

function envTexts(env: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(env).flat();
}

function textBytes(text: string, max: number, path: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > max) throw tooLarge(path.slice(path.lastIndexOf("/") + 1), bytes.length, max, path);
  return bytes;
}

function acceptFiles(
  files: Call["files"],
  programNames: readonly string[],
  pointer: string,
): readonly SandboxFile[] {
  if (files === undefined) return [];
  const entries = Object.entries(files);
  if (entries.length > CALL_BOUNDS.filesMax) {
    throw new SandboxError("call_too_large", `${entries.length} files, the most is ${CALL_BOUNDS.filesMax}`, {
      path: pointer,
    });
  }
  let total = 0;
  const accepted = entries.map(([name, value]) => {
    const path = `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const content = fileBytes(value, path);
    total += content.length;
    if (total > CALL_BOUNDS.filesBytesMax)
      throw tooLarge("the call's files together", total, CALL_BOUNDS.filesBytesMax, pointer);
    return { path: normalisePath(name, path), content };
  });
  checkAllFiles([...programNames, ...accepted.map((file) => file.path)], pointer);
  return accepted;
}

function fileBytes(value: FileContent, path: string): Buffer {
  if (typeof value === "string") return Buffer.from(value, "utf8");
  if (value.encoding === "utf8") return Buffer.from(value.content, "utf8");
  if (!BASE64.test(value.content) || value.content.length % 4 === 1) {
    throw new SandboxError("invalid_call", "the content is not base64", { path: `${path}/content` });
  }
  return Buffer.from(value.content, "base64");
}

function acceptArgs(args: Call["args"], pointer: string): readonly string[] {
  if (args === undefined) return NONE;
  for (const [index, arg] of args.entries()) {
    if (arg.includes("\0"))
      throw new SandboxError("invalid_call", "an argument holds a NUL character", {
        path: `${pointer}/${index}`,
      });
  }
  const total = textsBytes(args);
  if (total > CALL_BOUNDS.argsBytesMax)
    throw tooLarge("args together", total, CALL_BOUNDS.argsBytesMax, pointer);
  return args;
}

function acceptEnv(env: Call["env"], pointer: string): Readonly<Record<string, string>> {
  if (env === undefined) return {};
  const entries = Object.entries(env);
  if (entries.length > CALL_BOUNDS.envMax)
    throw new SandboxError(
      "call_too_large",
      `${entries.length} environment variables, the most is ${CALL_BOUNDS.envMax}`,
      { path: pointer },
    );
  for (const [name, value] of entries) {
    if (!ENV_NAME.test(name)) {
      throw new SandboxError(
        "invalid_call",
        `${JSON.stringify(name.slice(0, 80))} is no name of an environment variable: letters, digits and _ are, not starting with a digit`,
        { path: pointer },
      );
    }
    if (value.includes("\0"))
      throw new SandboxError("invalid_call", `the value of ${name} holds a NUL character`, {
        path: `${pointer}/${name}`,
      });
  }
  const total = textsBytes(envTexts(env));
  if (total > CALL_BOUNDS.argsBytesMax)
    throw tooLarge("env together", total, CALL_BOUNDS.argsBytesMax, pointer);
  return env;
}
