/** Rows of a data set, from JSON lines or Parquet by the name of the file. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { asyncBufferFromFile, parquetReadObjects, type Compressors } from "hyparquet";

export type Row = Readonly<Record<string, unknown>>;

/** Snappy is built in; these are Node's. */
const COMPRESSORS: Compressors = {
  GZIP: (input) => gunzipSync(input),
  ZSTD: (input) => zstdDecompressSync(input),
  BROTLI: (input) => brotliDecompressSync(input),
};

async function readJsonLines(file: string, rowsMax: number): Promise<Row[]> {
  const rows: Row[] = [];
  const lines = createInterface({ input: createReadStream(file, "utf8"), crlfDelay: Infinity });
  let number = 0;
  for await (const line of lines) {
    number += 1;
    if (line.trim() === "") continue;
    if (rows.length === rowsMax) break;
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch (error) {
      throw new Error(`${file}:${number}: no JSON: ${(error as Error).message}`, { cause: error });
    }
    if (typeof row !== "object" || row === null || Array.isArray(row))
      throw new Error(`${file}:${number}: a row is a JSON object`);
    rows.push(row as Row);
  }
  return rows;
}

async function readParquet(file: string, rowsMax: number): Promise<Row[]> {
  try {
    const buffer = await asyncBufferFromFile(file);
    return await parquetReadObjects({ file: buffer, rowEnd: rowsMax, compressors: COMPRESSORS });
  } catch (error) {
    throw new Error(`${file} cannot be read as Parquet: ${(error as Error).message}`, { cause: error });
  }
}

/** The first `rowsMax` rows. @throws Error that names the file, and the line of what does not parse */
export async function readRows(file: string, rowsMax: number): Promise<Row[]> {
  const found = await stat(file).catch(() => null);
  if (found === null || !found.isFile()) throw new Error(`there is no file ${file}`);
  if (/\.(jsonl|ndjson)$/i.test(file)) return readJsonLines(file, rowsMax);
  if (/\.parquet$/i.test(file)) return readParquet(file, rowsMax);
  throw new Error(`${file}: data sets are .jsonl, .ndjson or .parquet files`);
}
