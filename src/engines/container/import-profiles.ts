/**
 * Which fork server a program is forked from. A heap costs a fork in proportion to its size, so a program
 * that imports nothing is not forked from one that holds pandas. A wrong guess is slower, never wrong: what
 * was not preloaded is imported as usual.
 */

export interface ImportProfile {
  readonly name: string;
  readonly interpreter: "python" | "node";
  /** Modules that its fork server imports, those of the profiles before it included. */
  readonly modules: readonly string[];
  /** Names whose import asks for this profile, or one after it. */
  readonly names: readonly string[];
}

interface Step {
  readonly name: string;
  readonly modules: readonly string[];
  readonly names: readonly string[];
}

/** From the lightest to the one that has everything; each adds to the one before. */
const STEPS: readonly Step[] = [
  { name: "plain", modules: [], names: [] },
  {
    name: "standard",
    modules: [
      "base64",
      "calendar",
      "concurrent.futures",
      "csv",
      "dataclasses",
      "hashlib",
      "inspect",
      "multiprocessing",
      "multiprocessing.pool",
      "pathlib",
      "pickle",
      "pprint",
      "queue",
      "secrets",
      "shutil",
      "subprocess",
      "tempfile",
      "textwrap",
      "timeit",
      "uuid",
    ],
    names: [
      "base64",
      "concurrent",
      "csv",
      "dataclasses",
      "hashlib",
      "inspect",
      "multiprocessing",
      "pathlib",
      "pickle",
      "secrets",
      "shutil",
      "subprocess",
      "tempfile",
      "uuid",
    ],
  },
  { name: "numpy", modules: ["numpy"], names: ["numpy"] },
  { name: "sympy", modules: ["sympy", "mpmath", "gmpy2"], names: ["sympy", "mpmath", "gmpy2"] },
  {
    name: "math_verify",
    modules: ["math_verify"],
    names: ["math_verify", "latex2sympy2_extended"],
  },
  {
    name: "scientific",
    modules: [
      "scipy",
      "scipy.optimize",
      "scipy.stats",
      "scipy.special",
      "scipy.linalg",
      "scipy.integrate",
      "scipy.sparse",
      "pandas",
      "networkx",
      "h5py",
      "tqdm",
    ],
    names: ["scipy", "pandas", "networkx", "h5py"],
  },
];

export const IMPORT_PROFILES: readonly ImportProfile[] = STEPS.map((step, index) => ({
  name: step.name,
  interpreter: "python",
  modules: STEPS.slice(0, index + 1).flatMap(({ modules }) => modules),
  names: step.names,
}));

/** The profile for programs that import nothing of note, and for those that Python does not run. */
export const LIGHTEST = IMPORT_PROFILES[0] as ImportProfile;

/** The profile that has every module of the others, and so can stand in for each. */
export const HEAVIEST = IMPORT_PROFILES.at(-1) as ImportProfile;

/** A second one of it, which programs are forked from while the first is away. */
export const SPARE: ImportProfile = { ...HEAVIEST, name: "spare" };

/** Of programs of runtime `node`. */
export const NODE: ImportProfile = { name: "node", interpreter: "node", modules: [], names: [] };

/**
 * Of sessions whose imports nobody knows beforehand. Each module more makes every fork dearer: 2 ms of CPU time with
 * numpy, 8 ms with all; what a session imports itself its forks have too.
 */
const SESSIONS = IMPORT_PROFILES.find(({ name }) => name === "numpy") as ImportProfile;

/** The lightest profile that has every module named. */
export function chooseProfile(importedNames: ReadonlySet<string>): ImportProfile {
  return IMPORT_PROFILES.findLast(({ names }) => names.some((name) => importedNames.has(name))) ?? LIGHTEST;
}

/** @param names of modules that its calls will import; none where nobody said */
export function chooseSessionProfile(names: readonly string[]): ImportProfile {
  return names.length === 0 ? SESSIONS : chooseProfile(new Set(names));
}
