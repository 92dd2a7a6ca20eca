import { describe, expect, test } from "vitest";
import { readArguments } from "../../../src/rl/command/arguments.ts";
import { RecipeError, readRecipe, recipeOf } from "../../../src/rl/loop/recipe.ts";

describe("a recipe", () => {
  test("is the built-in one without a file, and a resolved one resolves to itself", () => {
    const recipe = readRecipe(null, []);
    expect(recipe.engine).toMatchObject({ backend: "embedded", layers: 2 });
    expect(recipe.stages).toHaveLength(1);
    expect(recipeOf(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
  });

  test("of 14 B resolves to the published stages", () => {
    const { stages, algorithm } = readRecipe("recipes/qwen3-14b-grpo-roc.yaml", []);
    expect(
      stages.map(({ steps, responseTokensMax, turnsMax }) => [steps, responseTokensMax, turnsMax]),
    ).toEqual([
      [300, 8192, 10],
      [85, 12288, 10],
      [125, 12288, 15],
    ]);
    expect(algorithm).toMatchObject({ prompts: 512, groupSize: 16, oversampling: 2, clipHigh: 0.28 });
  });

  test("is changed by dotted words, also inside lists, the last one over the others", () => {
    const recipe = readRecipe(null, [
      "algorithm.kind=grpo",
      "stages.0.steps=7",
      "stages.0.until={metric: reward/all/mean, above: 0.9}",
      "data.families=[dates]",
      "run.seed=4",
      "run.seed=5",
    ]);
    expect(recipe.algorithm.kind).toBe("grpo");
    expect(recipe.stages[0]).toMatchObject({ steps: 7, until: { above: 0.9, window: 5 } });
    expect(recipe.data.families).toEqual(["dates"]);
    expect(recipe.run.seed).toBe(5);
  });

  test.each([
    ["algorithm.promts=3", "algorithm.promts is not known"],
    ["engine.layrs=3", "engine.layrs is not known"],
    ["algorithm.prompts=many", 'algorithm.prompts must be integer, and is "many"'],
    ["algorithm.prompts=0", "algorithm.prompts must be >= 1, and is 0"],
    ["engine.backend=abacus", 'engine.backend is "abacus"; there are: embedded'],
    ["evaluation.passAt=[16]", "more than evaluation.attempts"],
    ["algorithm.oversampling=1", "at least 2"],
    ["data.source=file", "data.heldOutFile must name one"],
    ["run.seed.x=1", "a single value"],
    ["=3", "no override"],
    ["run.seed=[", "no YAML"],
  ])("%s is refused: %s", (word, message) => {
    expect(() => readRecipe(null, [word])).toThrow(RecipeError);
    expect(() => readRecipe(null, [word])).toThrow(message);
  });

  test("a file that is not there or no mapping is refused by its name", () => {
    expect(() => readRecipe("/nonexistent.yaml", [])).toThrow("/nonexistent.yaml");
  });
});

describe("arguments of train", () => {
  test("are a recipe, overrides and flags, in any order", () => {
    expect(readArguments(["a.yaml", "run.seed=2", "--compare", "grpo,grpo-roc", "--seeds", "5"])).toEqual({
      file: "a.yaml",
      overrides: ["run.seed=2"],
      isDryRun: false,
      isHelp: false,
      isEvaluateOnly: false,
      resume: null,
      compare: ["grpo", "grpo-roc"],
      seeds: 5,
    });
    expect(readArguments(["--resume"]).resume).toBe("");
    expect(readArguments(["--resume", "stages.0.steps=9"])).toMatchObject({
      resume: "",
      overrides: ["stages.0.steps=9"],
    });
    expect(readArguments(["--resume", "runs/a"]).resume).toBe("runs/a");
  });

  test.each([
    [["--evaluate-only", "--compare", "grpo"]],
    [["--sedes"]],
    [["--seeds", "0"]],
    [["--seeds"]],
    [["a.yaml", "b.yaml"]],
  ])("%o are refused", (argv) => {
    expect(() => readArguments(argv)).toThrow(RecipeError);
  });
});
