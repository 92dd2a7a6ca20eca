/**
 * Which cells cannot tell a program that was forked after earlier cells from one that has just run them again.
 *
 * Cells that compute cannot; those that look at clocks, processes, streams or unseeded random numbers, or could reach
 * what does, can. The words of a source decide: whatever is not known to be harmless counts as harmful, and a program
 * is then run as it came, which is slower and never wrong. Python's own normalisation of names is done first.
 */

/** Modules without input, output, clocks or threads. Of `random` below; of `sys` in {@link HARMLESS}. */
const COMPUTING = new Set(
  [
    "math cmath itertools functools collections operator fractions decimal numbers statistics string re heapq bisect",
    "copy typing dataclasses enum abc array textwrap warnings sys random sympy numpy mpmath gmpy2",
  ].flatMap((names) => names.split(" ")),
);

/** What is left of `sys` that neither reads nor writes anything but settings of the interpreter. */
const HARMLESS =
  /\bsys\.(?:setrecursionlimit|getrecursionlimit|set_int_max_str_digits|maxsize)\b|^[ \t]*import[ \t]+sys[ \t]*$/gm;

/** Names, with or without leading underscores, by which a cell gets at more than it computes. */
const REACHING = new RegExp(
  `(?<![A-Za-z0-9])(?:${[
    "os sys io posix builtins importlib import_module runpy ctypes ctypeslib subprocess threading thread multiprocessing",
    "asyncio async weakref atexit gc exec eval compile open getattr globals locals vars breakpoint help attrgetter",
    "methodcaller license credits copyright load loads save savez savez_compressed loadtxt savetxt genfromtxt fromfile",
    "tofile fromregex memmap DataSource datetime64 now today distutils f2py testing doctest preview plot plotting",
    "autowrap ufuncify codegen interactive init_session init_printing timeutils benchmarks timed timing frame",
  ]
    .flatMap((names) => names.split(" "))
    .join("|")})(?![A-Za-z0-9_])`,
);
/** Names that harm only as part of another: `x.time`. */
const REACHING_PART = /\.\s*_*(?:time|timeit|signal|socket|resource|inspect|traceback|logging|test)\b/;

const SPECIAL_NAME = /\b__\w+__\b/g;
const HARMLESS_SPECIAL = new Set(
  [
    "name main doc init post_init new repr str format bool int float complex index hash len iter next reversed contains",
    "getitem setitem delitem missing call enter exit slots annotations class eq ne lt le gt ge add sub mul matmul",
    "truediv floordiv mod divmod pow lshift rshift and or xor radd rsub rmul rmatmul rtruediv rfloordiv rmod rpow iadd isub imul neg",
    "pos abs invert round trunc floor ceil",
  ].flatMap((names) => names.split(" ").map((name) => `__${name}__`)),
);

const IMPORT_WORD = /\bimport\b/g;
const IMPORTED = String.raw`[A-Za-z_][\w.]*(?:[ \t]+as[ \t]+\w+)?`;
const IMPORT = new RegExp(
  String.raw`^[ \t]*(?:from[ \t]+([A-Za-z_][\w.]*)[ \t]+import\b|import[ \t]+(${IMPORTED}(?:[ \t]*,[ \t]*${IMPORTED})*)[ \t]*(?:#.*)?$)`,
  "gm",
);

/** Modules that the cell imports, or null where it could import others than its lines show. */
function importedModules(source: string): string[] | null {
  const matches = [...source.matchAll(IMPORT)];
  if (matches.length !== (source.match(IMPORT_WORD) ?? []).length) return null;
  return matches.flatMap(([, from, names = ""]) =>
    from === undefined ? names.split(",").map((name) => name.trim().split(/\s/)[0] as string) : [from],
  );
}

function computesOnly(source: string): boolean {
  const modules = importedModules(source);
  if (modules === null || !modules.every((name) => COMPUTING.has(name.split(".")[0] as string))) return false;
  const rest = source.replaceAll(HARMLESS, "");
  if (REACHING.test(rest) || REACHING_PART.test(rest)) return false;
  return (rest.match(SPECIAL_NAME) ?? []).every((name) => HARMLESS_SPECIAL.has(name));
}

const RANDOM = /rand|shuffle|sampl|choice|secrets|seed/i;
/** A line that cannot raise before a seed that follows it. */
const PLAIN_LINE = /^(?:import[ \t]+(?:random|math|itertools|numpy|numpy as np))?[ \t]*$/;
const SEED = /^(random|np\.random|numpy\.random)\.seed\(\d+\)[ \t]*$/;
const OWN_SEED = /\b(?:(?:(?:np|numpy)\.)?random\.)?(?:default_rng|RandomState|Random)\(\s*\d+\s*\)/g;
const UNSEEDED =
  /\b(?:seed(?!\(\s*\d+\s*\))|(?:default_rng|RandomState|Random|SystemRandom|SeedSequence|PCG64\w*|MT19937|Philox|SFC64|BitGenerator|bit_generator)\b)/;

/** Whether no cell has a random number that another run would not have: each source of them is seeded before. */
function isSeeded(cells: readonly string[]): boolean {
  const usesNumpy = cells.some((cell) => cell.includes("numpy"));
  const usesSympy = cells.some((cell) => cell.includes("sympy"));
  const seeded = new Set<string>();
  return cells.every((cell) => {
    const lines = cell.split("\n");
    let seed: RegExpExecArray | null = null;
    while (
      lines.length > 0 &&
      (PLAIN_LINE.test(lines[0] as string) || (seed = SEED.exec(lines[0] as string)))
    ) {
      if (seed !== null) seeded.add(seed[1] === "random" ? "random" : "numpy");
      seed = null;
      lines.shift();
    }
    const rest = lines.join("\n").replaceAll(OWN_SEED, "");
    if (!RANDOM.test(rest)) return true;
    // sympy has a generator of its own.
    return !UNSEEDED.test(rest) && !usesSympy && seeded.has("random") && (!usesNumpy || seeded.has("numpy"));
  });
}

/** Where a line without quotes has its comment; one with quotes may end a text that began before it. */
const COMMENT = /^([^"'#\n]*)#[^"'\n]*$/gm;
/** What ends a line for Python, or for a regular expression, and not for the other. */
const ODD_LINE_END = /(?![\t\n])[\p{Cc}\u2028\u2029]/u;

/** @param cells sources of all cells of a program, in their order */
export function cannotTellFork(cells: readonly string[]): boolean {
  if (cells.some((cell) => ODD_LINE_END.test(cell))) return false;
  const plain = cells.map((cell) => cell.replaceAll(COMMENT, "$1").normalize("NFKC"));
  return plain.every(computesOnly) && isSeeded(plain);
}

/** Modules that interpreters are kept ready with, and that are not the same when they are imported by a muted cell. */
const READY = ["numpy", "sympy", "mpmath", "gmpy2"];

/** Those of them that any of the cells imports. */
export function readyImports(cells: readonly string[]): readonly string[] {
  const names = new Set(
    cells.flatMap((cell) => importedModules(cell) ?? []).map((name) => name.split(".")[0]),
  );
  return READY.filter((name) => names.has(name));
}
