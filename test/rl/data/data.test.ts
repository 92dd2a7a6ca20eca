/** Data sets as they are published, from files that are written here. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, describe, expect, test } from "vitest";
import { readProblems, type DataFile } from "../../../src/rl/data/problems.ts";
import { readRecipe } from "../../../src/rl/loop/recipe.ts";
import { loadProblems } from "../../../src/rl/tasks/load.ts";

const directory = mkdtempSync(path.join(tmpdir(), "rollcall-data-"));
afterAll(() => rmSync(directory, { recursive: true }));

function write(name: string, content: string | ArrayBuffer): string {
  const file = path.join(directory, name);
  writeFileSync(file, typeof content === "string" ? content : Buffer.from(content));
  return file;
}

const jsonLines = (rows: readonly unknown[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const PLAIN: Omit<DataFile, "file"> = {
  rowsMax: 100,
  promptColumn: "problem",
  answerColumn: "answer",
  idColumn: "",
  template: "{prompt}",
};

const DAPO = [
  ["math_dapo", "What is $1+1$?", "2", "a"],
  ["math_dapo", "What is $& and $1?", "34", "b"],
  ["math_dapo", "What is $1+1$?", "2", "a"],
].map(([data_source, content, ground_truth, index]) => ({
  data_source,
  prompt: [{ role: "user", content }],
  reward_model: { ground_truth, style: "rule" },
  extra_info: { index },
}));
const DAPO_COLUMNS = {
  promptColumn: "prompt[0].content",
  answerColumn: "reward_model.ground_truth",
  idColumn: "extra_info.index",
  template: "Solve it.\n{prompt}\nAnswer in \\boxed{}.",
};
const DAPO_PROBLEMS = [
  { id: "a", family: "math_dapo", prompt: "Solve it.\nWhat is $1+1$?\nAnswer in \\boxed{}.", answer: "2" },
  {
    id: "b",
    family: "math_dapo",
    prompt: "Solve it.\nWhat is $& and $1?\nAnswer in \\boxed{}.",
    answer: "34",
  },
];

describe("a data set", () => {
  test("of JSON lines, nested as DAPO's, its repeated rows once", async () => {
    const file = write("dapo.jsonl", `\n${jsonLines(DAPO)}`);
    expect(await readProblems({ ...PLAIN, ...DAPO_COLUMNS, file })).toEqual(DAPO_PROBLEMS);
  });

  test("of Parquet, nested as DAPO's", async () => {
    const column = (name: keyof (typeof DAPO)[number]) => DAPO.map((row) => row[name]);
    const file = write(
      "dapo.parquet",
      parquetWriteBuffer({
        columnData: [
          { name: "data_source", data: column("data_source"), type: "STRING" },
          { name: "prompt", data: column("prompt"), type: "JSON" },
          { name: "reward_model", data: column("reward_model"), type: "JSON" },
          { name: "extra_info", data: column("extra_info"), type: "JSON" },
        ],
      }),
    );
    expect(await readProblems({ ...PLAIN, ...DAPO_COLUMNS, file })).toEqual(DAPO_PROBLEMS);
  });

  test("of Parquet, flat as AIME's, with numbers for answers", async () => {
    const file = write(
      "aime24.parquet",
      parquetWriteBuffer({
        columnData: [
          { name: "problem", data: ["p1", "p2", "p3"], type: "STRING" },
          { name: "answer", data: [204, 113, 371], type: "INT32" },
        ],
      }),
    );
    expect(await readProblems({ ...PLAIN, file, rowsMax: 2 })).toEqual([
      { id: "1", family: "aime24", prompt: "p1", answer: "204" },
      { id: "2", family: "aime24", prompt: "p2", answer: "113" },
    ]);
  });

  test.each([
    ["missing.jsonl", null, "there is no file"],
    ["data.csv", "a,b", "data sets are .jsonl"],
    ["broken.jsonl", '{"problem":"p","answer":"1"}\n{"problem":', "broken.jsonl:2: no JSON"],
    ["list.jsonl", "[1]\n", "list.jsonl:1: a row is a JSON object"],
    [
      "other.jsonl",
      '{"question":"q","answer":"1"}\n',
      "row 1: column problem has nothing, not a text or a number; its columns are question, answer",
    ],
    ["list-answer.jsonl", '{"problem":"p","answer":["1"]}\n', "column answer has a list"],
    ["empty.jsonl", "\n", "has no rows"],
    ["broken.parquet", "PAR1 and no more", "cannot be read as Parquet"],
  ])("%s is refused, and why is said", async (name, content, reason) => {
    const file = content === null ? path.join(directory, name) : write(name, content);
    await expect(readProblems({ ...PLAIN, file })).rejects.toThrow(reason);
  });
});

test("a recipe reads its files, and no more rows than it asks for", async () => {
  const rows = Array.from({ length: 50 }, (_, at) => ({ problem: `p${at}`, answer: at }));
  const { data, sft, run } = readRecipe(null, [
    "data.source=file",
    `data.file=${write("train.jsonl", jsonLines(rows))}`,
    `data.heldOutFile=${write("held-out.jsonl", jsonLines(rows.slice(0, 3)))}`,
    "data.promptColumn=problem",
    "data.train=40",
  ]);
  const { train, heldOut, teacher } = await loadProblems(data, sft, run.seed);
  expect([train.length, heldOut.length, teacher]).toEqual([40, 3, undefined]);
  expect(train[7]).toEqual({ id: "8", family: "train", prompt: "p7", answer: "7" });
});
