/** A run directory as the viewer reads it. A run that is still going on has lines without an end: they are left out. */
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import type { Measured } from "../command/curves.ts";
import type { TimelineEntry } from "../scheduler/timeline.ts";

export interface RunData {
  readonly name: string;
  readonly directory: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly metrics: readonly Measured[];
  /** Names of the transcript files without their ending, in order. */
  readonly transcripts: readonly string[];
  readonly timeline: readonly (TimelineEntry & { readonly step: number })[];
}

/** Rows of one transcript file that are shown. */
const ROWS_MAX = 4000;
/** Bytes read of one file, from its end. */
const FILE_BYTES_MAX = 256 << 20;
const TRANSCRIPT_NAME = /^[A-Za-z0-9_-]{1,100}$/;

function readLines<T>(file: string): T[] {
  if (!existsSync(file)) return [];
  if (statSync(file).size > FILE_BYTES_MAX)
    throw new Error(`${file} is larger than ${FILE_BYTES_MAX >> 20} MiB`);
  const lines = readFileSync(file, "utf8").split("\n");
  // What stands after the last newline is being written.
  lines.pop();
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as T);
}

/** @throws Error when the directory holds no run */
export function readRun(directory: string): RunData {
  const config = path.join(directory, "config.json");
  if (!existsSync(config)) throw new Error(`${directory} is no run directory: it has no config.json`);
  const transcripts = path.join(directory, "transcripts");
  return {
    name: path.basename(path.resolve(directory)),
    directory,
    config: JSON.parse(readFileSync(config, "utf8")) as Record<string, unknown>,
    metrics: readLines<Measured>(path.join(directory, "metrics.jsonl")),
    transcripts: (existsSync(transcripts) ? readdirSync(transcripts) : [])
      .filter((name) => name.endsWith(".jsonl"))
      .map((name) => name.slice(0, -".jsonl".length))
      .filter((name) => TRANSCRIPT_NAME.test(name))
      .sort(),
    timeline: readLines(path.join(directory, "timeline.jsonl")),
  };
}

/** Rows of a transcript file, as JSON. @throws Error when there is none of that name */
export function readTranscript({ directory, transcripts }: RunData, name: string): unknown[] {
  if (!transcripts.includes(name)) throw new Error(`the run has no transcripts "${name}"`);
  return readLines(path.join(directory, "transcripts", `${name}.jsonl`)).slice(0, ROWS_MAX);
}
