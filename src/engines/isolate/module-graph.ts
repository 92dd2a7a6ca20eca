/**
 * Links a program with static imports or top-level await: built-in modules become small generated modules
 * that hand on what require() gives, files of the call are compiled, everything else is not found.
 *
 * The generated modules find their way to require() by a global name that is drawn anew for each call and
 * gone before the program's first statement runs: the entry imports them, then the one that deletes the name,
 * then the program.
 */
import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import type ivm from "isolated-vm";
import { type CompileFailure, compileFailure } from "./program-form.ts";

export interface ModuleSources {
  readonly file: string;
  /** Names that may be imported from a built-in module, joined by commas; undefined when there is no such module. */
  exportNames(specifier: string): Promise<string | undefined>;
  /** Text of a file of the call, by absolute path. */
  textOf(path: string): string | undefined;
}

const PROGRAM = "guest:program";
const SEAL = "guest:seal";
const ENTRY_FILE = "node:internal/guest/entry";

export class ModuleNotFound extends Error {
  override readonly name = "ModuleNotFound";
}

const handOn = (value: string, names: readonly string[]) =>
  [
    `const module = ${value};`,
    "export default module;",
    ...names.map(
      (name, index) => `const v${index} = module[${JSON.stringify(name)}]; export { v${index} as ${name} };`,
    ),
  ].join("\n");

export class ModuleGraph {
  readonly name = `guest_${randomUUID().replaceAll("-", "")}`;
  readonly #isolate: ivm.Isolate;
  readonly #sources: ModuleSources;
  readonly #byKey = new Map<string, Promise<ivm.Module>>();
  readonly #paths = new Map<ivm.Module, string>();

  constructor(isolate: ivm.Isolate, sources: ModuleSources) {
    this.#isolate = isolate;
    this.#sources = sources;
  }

  /**
   * The entry module, linked and ready to be evaluated.
   * @throws ModuleNotFound naming what was imported, or SyntaxError.
   */
  async link(program: ivm.Module, context: ivm.Context): Promise<ivm.Module> {
    this.#byKey.set(PROGRAM, Promise.resolve(program));
    this.#paths.set(program, this.#sources.file);
    const generated = [...new Set(await this.#generatedImports(program, new Set()))];
    const seal = `const { settled } = globalThis[${JSON.stringify(this.name)}]; delete globalThis[${JSON.stringify(this.name)}]; export { settled };`;
    this.#byKey.set(SEAL, this.#isolate.compileModule(seal, { filename: ENTRY_FILE }));
    const lines = [
      ...generated.map((specifier) => `import ${JSON.stringify(specifier)};`),
      `import { settled } from "${SEAL}";`,
      `import "${PROGRAM}";`,
      "settled();",
    ];
    const entry = await this.#isolate.compileModule(lines.join("\n"), { filename: ENTRY_FILE });
    this.#paths.set(entry, this.#sources.file);
    await entry.instantiate(context, (specifier, referrer) =>
      this.#resolve(specifier, this.#paths.get(referrer) ?? this.#sources.file),
    );
    return entry;
  }

  /** Absolute specifiers of all generated modules that `module` and the files it imports need. */
  async #generatedImports(module: ivm.Module, seen: Set<ivm.Module>): Promise<string[]> {
    if (seen.has(module)) return [];
    seen.add(module);
    const from = this.#paths.get(module) ?? this.#sources.file;
    const found: string[] = [];
    for (const specifier of module.dependencySpecifiers) {
      const key = this.#keyOf(specifier, from);
      const imported = await this.#resolve(specifier, from);
      if (this.#paths.has(imported)) found.push(...(await this.#generatedImports(imported, seen)));
      else found.push(key);
    }
    return found;
  }

  #keyOf(specifier: string, from: string): string {
    return /^\.{0,2}\//.test(specifier) ? posix.resolve(posix.dirname(from), specifier) : specifier;
  }

  #resolve(specifier: string, from: string): Promise<ivm.Module> {
    const key = this.#keyOf(specifier, from);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const made = key.startsWith("/") ? this.#fromFile(key, from) : this.#fromBuiltin(key, from);
    this.#byKey.set(key, made);
    return made;
  }

  async #fromBuiltin(specifier: string, from: string): Promise<ivm.Module> {
    const names = await this.#sources.exportNames(specifier);
    if (names === undefined)
      throw new ModuleNotFound(`Cannot find package '${specifier}' imported from ${from}`);
    return this.#isolate.compileModule(
      handOn(
        `globalThis[${JSON.stringify(this.name)}].builtin(${JSON.stringify(specifier)})`,
        names === "" ? [] : names.split(","),
      ),
      { filename: ENTRY_FILE },
    );
  }

  async #fromFile(path: string, from: string): Promise<ivm.Module> {
    const text = this.#sources.textOf(path);
    if (text === undefined) throw new ModuleNotFound(`Cannot find module '${path}' imported from ${from}`);
    if (path.endsWith(".json") || path.endsWith(".cjs") || !/\b(?:import|export)\b/.test(text)) {
      return this.#isolate.compileModule(
        handOn(`globalThis[${JSON.stringify(this.name)}].load(${JSON.stringify(path)})`, []),
        { filename: ENTRY_FILE },
      );
    }
    const module = await this.#isolate.compileModule(text, { filename: path });
    this.#paths.set(module, path);
    return module;
  }
}

/** What linking failed with, as the program's own failure; anything else is thrown on. */
export function linkFailure(error: unknown, file: string): CompileFailure | ModuleNotFound {
  return error instanceof ModuleNotFound ? error : compileFailure(error, file);
}
