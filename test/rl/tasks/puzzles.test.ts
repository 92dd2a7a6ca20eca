import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { FAMILY_NAMES, PRELUDE } from "../../../src/rl/tasks/families.ts";
import { makePuzzles } from "../../../src/rl/tasks/puzzles.ts";
import { createTeacher } from "../../../src/rl/tasks/teacher.ts";
import { createTinyRenderer, decodeTiny, encodeTiny } from "../../../src/rl/renderers/tiny.ts";

const options = { families: FAMILY_NAMES, count: 400, seed: 1, split: "train", dialect: "tiny" } as const;

test("a seed makes the same puzzles, without repeats, and none that is held out", () => {
  const train = makePuzzles(options);
  expect(makePuzzles(options)).toEqual(train);
  expect(makePuzzles({ ...options, seed: 2 })).not.toEqual(train);
  expect(new Set(train.map(({ id }) => id)).size).toBe(400);
  expect(new Set(train.map(({ family }) => family)).size).toBe(FAMILY_NAMES.length);
  const heldOut = makePuzzles({ ...options, split: "held-out", seed: 0, count: 200 });
  const known = new Set(makePuzzles({ ...options, count: 1e9 }).map(({ id }) => id));
  expect(heldOut.filter(({ id }) => known.has(id))).toEqual([]);
});

test("the tiny language can say every puzzle, and English tells the same ones", () => {
  const tiny = makePuzzles(options);
  const renderer = createTinyRenderer();
  for (const { prompt, code, slip, wrong } of tiny) {
    expect(renderer.decode(renderer.open({ system: "", prompt }))).toBe(`#${prompt}?`);
    for (const source of [code, slip, wrong]) expect(decodeTiny(encodeTiny(source))).toBe(source);
  }
  const english = makePuzzles({ ...options, dialect: "english" });
  expect(english.map(({ id, answer }) => [id, answer])).toEqual(tiny.map(({ id, answer }) => [id, answer]));
});

test("in Python the code gives the answer, the slip ends in an error, the wrong code runs and gives another", () => {
  const puzzles = makePuzzles(options);
  const script = `
import json, sys
${PRELUDE}
def run(source):
    try: return str(eval(compile(source, "p", "eval")))
    except Exception: return None
print(json.dumps([[run(source) for source in row] for row in json.load(sys.stdin)]))`;
  const input = JSON.stringify(puzzles.map(({ code, slip, wrong }) => [code, slip, wrong]));
  const { stdout } = spawnSync("/usr/bin/python3", ["-W", "ignore", "-c", script], {
    input,
    encoding: "utf8",
  });
  const ran = JSON.parse(stdout) as (string | null)[][];
  for (const [at, { answer, id }] of puzzles.entries()) {
    const [right, slipped, wrong] = ran[at] ?? [];
    expect([id, right]).toEqual([id, answer]);
    expect([id, slipped]).toEqual([id, null]);
    expect([id, wrong]).not.toEqual([id, null]);
  }
});

test("the teacher repeats itself with a seed and has every one of its habits", async () => {
  const [puzzle] = makePuzzles({ ...options, count: 1, families: ["arithmetic"] });
  if (puzzle === undefined) throw new Error("there is a puzzle");
  const none = { guess: 0, slip: 0, wrong: 0, misread: 0, repeat: 0 };
  const turns = async (habits: typeof none, responses: readonly string[]): Promise<string[]> => {
    const teacher = createTeacher(puzzle, habits, [1]);
    const said: string[] = [];
    for (const response of ["", ...responses]) {
      const prompt = encodeTiny(`#${puzzle.prompt}?${response}`);
      const sample = await teacher.sample({ prompt, maxTokens: 99, temperature: 1, stop: [] });
      said.push(decodeTiny(sample.tokens));
    }
    return said;
  };
  expect(await turns(none, ["{42}"])).toEqual([`<${puzzle.code}>`, "=42;"]);
  expect(await turns({ ...none, slip: 1 }, ["{!s}", "{42}"])).toEqual([
    `<${puzzle.slip}>`,
    `<${puzzle.code}>`,
    "=42;",
  ]);
  expect(await turns({ ...none, wrong: 1, repeat: 1 }, ["{42}"])).toEqual([`<${puzzle.wrong}>`, "=42=42;"]);
  const [guess] = await turns({ ...none, guess: 1 }, []);
  expect(guess).toMatch(/^=.+;$/);
  expect((await turns({ ...none, misread: 1 }, ["{42}"]))[1]).not.toBe("=42;");
  expect(await turns({ ...none, misread: 1 }, ["{42}"])).toEqual(
    await turns({ ...none, misread: 1 }, ["{42}"]),
  );
});
