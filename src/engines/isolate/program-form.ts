/**
 * How a source is to be run. As Node does with a file of unsaid kind: a CommonJS script, unless it only
 * compiles as a module; a cell is a script whose last expression is its value.
 */
import type ivm from "isolated-vm";

const SCRIPT_PREFIX = "(function (exports, require, module, __filename, __dirname) { ";
const SCRIPT_SUFFIX = "\n})";

/** A source that does not compile, with the place that V8 named. */
export interface CompileFailure {
  readonly kind: "failure";
  readonly message: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export type CompiledProgram =
  | { readonly kind: "script"; readonly script: ivm.Script }
  | { readonly kind: "cell" }
  | { readonly kind: "async-cell"; readonly script: ivm.Script }
  | { readonly kind: "module"; readonly module: ivm.Module }
  | CompileFailure;

/** Errors of the CommonJS parse that the source's being a module explains. */
const MODULE_SYNTAX =
  /^(?:Cannot use import statement outside a module|Unexpected token 'export'|Cannot use 'import\.meta' outside a module|await is only valid)/;

const withoutHashbang = (source: string) => (source.startsWith("#!") ? `//${source.slice(2)}` : source);

/** V8's message ends with the place, as isolated-vm writes it; anything else that was thrown is not of the source. */
export function compileFailure(error: unknown, file: string): CompileFailure {
  if (!(error instanceof SyntaxError)) throw error;
  const match = /^([^]*) \[(.*):(\d+):(\d+)\]$/.exec(error.message);
  if (match === null) return { kind: "failure", message: error.message, file, line: 1, column: 1 };
  const [, message = "", place = file, line = "1", column = "1"] = match;
  return { kind: "failure", message, file: place, line: Number(line), column: Math.max(1, Number(column)) };
}

/** Length up to which compiling a source takes no longer than going to another thread and back. */
const SHORT_SOURCE = 16_384;

function compileScript(isolate: ivm.Isolate, code: string, origin: ivm.ScriptOrigin) {
  return code.length > SHORT_SOURCE
    ? isolate.compileScript(code, origin)
    : isolate.compileScriptSync(code, origin);
}

async function attempt<T>(compile: () => T | Promise<T>, file: string): Promise<T | CompileFailure> {
  try {
    return await compile();
  } catch (error) {
    return compileFailure(error, file);
  }
}

const isFailure = (value: unknown): value is CompileFailure =>
  (value as { kind?: unknown }).kind === "failure";

export interface ProgramSource {
  readonly source: string;
  readonly file: string;
  readonly isCell: boolean;
  /** Name of the global function that a script calls with its wrapper. */
  readonly runner: string;
}

export async function compileProgram(
  isolate: ivm.Isolate,
  { source, file, isCell, runner }: ProgramSource,
): Promise<CompiledProgram> {
  const text = withoutHashbang(source);
  const wrapped = (before: string, after: string) =>
    attempt(
      () =>
        compileScript(isolate, `${before}${SCRIPT_PREFIX}${text}${SCRIPT_SUFFIX}${after}`, {
          filename: file,
          columnOffset: -before.length - SCRIPT_PREFIX.length,
        }),
      file,
    );
  // Defines the function and calls the runner with it in one, so that its thread is gone to once.
  const script = isCell
    ? await attempt(() => compileScript(isolate, text, { filename: file }), file)
    : await wrapped(`${runner}(`, ")");
  if (!isFailure(script)) return isCell ? { kind: "cell" } : { kind: "script", script };
  if (isCell) {
    const cell = await asyncCell(isolate, text, file);
    if (cell !== undefined) return { kind: "async-cell", script: cell };
  }
  const module = await attempt(() => isolate.compileModule(text, { filename: file }), file);
  if (!isFailure(module)) return { kind: "module", module };
  if (MODULE_SYNTAX.test(script.message)) return module;
  // By itself the source fails as Node says, where the wrapper's end can make another error of it.
  const bare = await attempt(() => compileScript(isolate, text, { filename: file }), file);
  if (isFailure(bare) && bare.message !== "Illegal return statement") return bare;
  // Nor is the call around the wrapper to be seen in the message.
  const uncalled = isCell ? script : await wrapped("", "");
  return isFailure(uncalled) ? uncalled : script;
}

const ASYNC_PREFIX = "(async () => { ";
const SPLITS_MAX = 64;

/**
 * A cell with top-level await as an async function that returns its last expression: the shortest end of the
 * source, from the start of a line or behind a semicolon, that is an expression while all before it compiles.
 */
async function asyncCell(
  isolate: ivm.Isolate,
  source: string,
  file: string,
): Promise<ivm.Script | undefined> {
  const compile = async (code: string) => {
    const script = await attempt(
      () => compileScript(isolate, code, { filename: file, columnOffset: -ASYNC_PREFIX.length }),
      file,
    );
    return isFailure(script) ? undefined : script;
  };
  const whole = await compile(`${ASYNC_PREFIX}${source}\n})`);
  if (whole === undefined) return undefined;
  const end = source.replace(/[\s;]+$/, "").length;
  const splits = [...source.slice(0, end).matchAll(/\n|;/g)].map((match) => match.index + 1);
  for (const at of [0, ...splits].slice(-SPLITS_MAX).toReversed()) {
    const expression = source.slice(at, end);
    if (!/\S/.test(expression)) continue;
    if ((await compile(`(async () => (\n${expression}\n))`)) === undefined) continue;
    const script = await compile(`${ASYNC_PREFIX}${source.slice(0, at)} return (${expression}\n)})`);
    if (script !== undefined) return script;
  }
  return whole;
}
