/** A run's recipe: a YAML file, overridden by `a.b=c` words, checked against one schema. */
import { readFileSync } from "node:fs";
import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";
import { parse } from "yaml";
import { BACKENDS } from "../policies/registry.ts";
import { RecipeSchema, type Recipe } from "./recipe-schema.ts";

/** The recipe cannot be read; the message says where and what is allowed. */
export class RecipeError extends Error {
  override readonly name = "RecipeError";
}

function readYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, "utf8")) ?? {};
  } catch (error) {
    throw new RecipeError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Puts `c` at `a.b`; a number in the path is a place in a list. */
function override(document: Record<string, unknown>, word: string): void {
  const equals = word.indexOf("=");
  if (equals <= 0) throw new RecipeError(`"${word}" is no override; one looks like rl.key=value`);
  const names = word.slice(0, equals).split(".");
  const last = names.pop() as string;
  let at = document;
  for (const name of names) {
    const next = (at[name] ??= {});
    if (typeof next !== "object" || next === null)
      throw new RecipeError(`"${word}" goes into ${name}, which is a single value`);
    at = next as Record<string, unknown>;
  }
  try {
    at[last] = parse(word.slice(equals + 1)) as unknown;
  } catch (error) {
    throw new RecipeError(`the value of "${word}" is no YAML: ${(error as Error).message}`, { cause: error });
  }
}

/** `/stages/0/steps` as it is written in an override. */
function dotted(pointer: string): string {
  return pointer.replace(/^\//, "").replaceAll("/", ".") || "the recipe";
}

/** What holds between fields, which a schema cannot say. */
function checkTogether(recipe: Recipe): void {
  const { evaluation, data, algorithm } = recipe;
  const most = Math.max(...evaluation.passAt);
  if (most > evaluation.attempts)
    throw new RecipeError(
      `evaluation.passAt has ${most}, more than evaluation.attempts, which is ${evaluation.attempts}`,
    );
  if (data.source === "file" && data.heldOutFile === "")
    throw new RecipeError("data.source is file: data.heldOutFile must name one to evaluate on");
  if (algorithm.kind === "grpo-roc" && algorithm.oversampling < 2)
    throw new RecipeError(
      "algorithm.oversampling must be at least 2 under grpo-roc: else there is nothing to choose",
    );
}

/** Fills in defaults and checks. @param place path of the value in the recipe, for messages */
function settle<const T extends TSchema>(schema: T, value: unknown, place: string): Static<T> {
  const filled = Value.Default(schema, structuredClone(value));
  const [first] = Value.Errors(schema, filled);
  if (first === undefined) return filled as Static<T>;
  const pointer = dotted(place + first.instancePath);
  const found = JSON.stringify(Value.Pointer.Get(filled, first.instancePath));
  // A schema without further properties is, for those, the schema `false`.
  if (first.keyword === "boolean") throw new RecipeError(`${pointer} is not known`);
  throw new RecipeError(`${pointer} ${first.message}, and is ${found}`);
}

/** @throws RecipeError with the path, what is there and what is allowed */
export function recipeOf(document: unknown): Recipe {
  const recipe: Recipe = settle(RecipeSchema, document, "");
  const { backend, ...settings } = recipe.engine;
  const known = BACKENDS[backend];
  if (known === undefined)
    throw new RecipeError(
      `engine.backend is ${JSON.stringify(backend)}; there are: ${Object.keys(BACKENDS).join(", ")}`,
    );
  checkTogether(recipe);
  return { ...recipe, engine: { backend, ...settle(known.settings, settings, "/engine") } };
}

/** What a recipe needs besides, if it is not for an evaluation alone. @throws RecipeError */
export function assertTrainable({ engine, data }: Recipe): void {
  if (BACKENDS[engine.backend]?.trains === false)
    throw new RecipeError(
      `engine.backend ${engine.backend} cannot be trained; --evaluate-only evaluates it on the held-out problems`,
    );
  if (data.source === "file" && data.file === "")
    throw new RecipeError("data.source is file: data.file must name one to train on");
}

/** A recipe with `a.b=c` words over it, the later ones over the earlier. */
export function recipeWith(document: unknown, overrides: readonly string[]): Recipe {
  if (typeof document !== "object" || document === null || Array.isArray(document))
    throw new RecipeError("a recipe must be a mapping");
  // Defaults come first, so that an override can go into a list that the file does not have.
  const changed = Value.Default(RecipeSchema, structuredClone(document)) as Record<string, unknown>;
  for (const word of overrides) override(changed, word);
  return recipeOf(changed);
}

/** @param file a YAML recipe, or null for the defaults: the built-in puzzles on the embedded model */
export function readRecipe(file: string | null, overrides: readonly string[]): Recipe {
  return recipeWith(file === null ? {} : readYaml(file), overrides);
}
