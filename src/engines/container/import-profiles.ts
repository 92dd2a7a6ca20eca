/**
 * Which fork server a program is forked from. A heap costs a fork in proportion to its size, so a program
 * that imports nothing is not forked from one that holds pandas. A wrong guess is slower, never wrong: what
 * was not preloaded is imported as usual.
 */
import type { RunSpec } from "../../core/ports.ts";

export interface ImportProfile {
  readonly name: string;
  /** Modules that the fork server imports. */
  readonly modules: readonly string[];
  /** Top-level names whose presence in a source asks for this profile. */
  readonly covers: readonly string[];
}

const NUMPY = ["numpy"];
const SYMPY = ["sympy", "mpmath", "gmpy2"];
const SCIENTIFIC = [
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
  "math_verify",
];

/** From the lightest to the one that has everything. */
export const IMPORT_PROFILES: readonly ImportProfile[] = [
  { name: "plain", modules: [], covers: ["tqdm"] },
  { name: "numpy", modules: NUMPY, covers: ["numpy", "tqdm"] },
  { name: "sympy", modules: [...SYMPY, ...NUMPY], covers: ["numpy", "sympy", "mpmath", "gmpy2", "tqdm"] },
  {
    name: "scientific",
    modules: [...NUMPY, ...SYMPY, ...SCIENTIFIC],
    covers: ["numpy", "sympy", "mpmath", "gmpy2", "scipy", "pandas", "networkx", "h5py", "tqdm", "math_verify", "latex2sympy2_extended"],
  },
];

const KNOWN = /\b(?:numpy|sympy|mpmath|gmpy2|scipy|pandas|networkx|h5py|tqdm|math_verify|latex2sympy2_extended)\b/g;

/** The lightest profile that covers every known module named anywhere in the call's Python sources. */
export function chooseProfile(spec: RunSpec): ImportProfile {
  const lightest = IMPORT_PROFILES[0] as ImportProfile;
  if (spec.entry.kind !== "fork") return lightest;
  const named = new Set<string>(spec.source.toString("latin1").match(KNOWN) ?? []);
  for (const file of spec.files) {
    if (file.path.endsWith(".py")) for (const name of file.content.toString("latin1").match(KNOWN) ?? []) named.add(name);
  }
  if (named.size === 0) return lightest;
  return IMPORT_PROFILES.find((profile) => [...named].every((name) => profile.covers.includes(name))) ?? (IMPORT_PROFILES.at(-1) as ImportProfile);
}
