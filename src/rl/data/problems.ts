/** Problems from a data set that somebody else made: columns found, the recipe's template put around each. */
import path from "node:path";
import type { Problem } from "../tasks/problem.ts";
import { textAt, valueAt } from "./column.ts";
import { readRows } from "./rows.ts";

export interface DataFile {
  readonly file: string;
  readonly rowsMax: number;
  readonly promptColumn: string;
  readonly answerColumn: string;
  /** Empty: the number of the row, from 1. */
  readonly idColumn: string;
  /** `{prompt}` stands for the problem; one without it is refused. */
  readonly template: string;
}

const SOURCE_COLUMN = "data_source";

/**
 * @returns problems in the order of the file; of several with the same id the first, since data sets as they are
 *   published repeat their rows (DAPO-Math-17k has each a hundred times)
 * @throws Error that names file, row and column of what is not as it should be
 */
export async function readProblems(data: DataFile): Promise<Problem[]> {
  const { file, template } = data;
  if (!template.includes("{prompt}")) throw new Error('data.template has no "{prompt}"');
  const rows = await readRows(file, data.rowsMax);
  const family = path.basename(file).replace(/\.[^.]+$/, "");
  const problems = new Map<string, Problem>();
  for (const [at, row] of rows.entries()) {
    const where = `${file}, row ${at + 1}`;
    const id = data.idColumn === "" ? String(at + 1) : textAt(row, data.idColumn, where);
    if (problems.has(id)) continue;
    const source = valueAt(row, SOURCE_COLUMN);
    problems.set(id, {
      id,
      family: typeof source === "string" && source !== "" ? source : family,
      // By a function: a problem may hold "$&" and the like.
      prompt: template.replaceAll("{prompt}", () => textAt(row, data.promptColumn, where)),
      answer: textAt(row, data.answerColumn, where).trim(),
    });
  }
  if (problems.size === 0) throw new Error(`${file} has no rows`);
  return [...problems.values()];
}
