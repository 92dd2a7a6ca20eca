/**
 * What a run leaves on disk; docs/training.md has the layout. Lines are appended whole; a checkpoint appears under its
 * name only when all of it is written, so whatever interrupts a run, its last good checkpoint is there.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Metrics } from "../ports.ts";
import { createEventFile, type EventFile } from "../tensorboard/event-file.ts";

/** A line of metrics.jsonl. */
export interface MetricsLine {
  readonly phase: "sft" | "rl" | "eval";
  readonly stage: string;
  /** Steps done: of imitation in phase `sft`, else policy steps of the whole run. */
  readonly step: number;
  /** Seconds since the epoch. */
  readonly time: number;
  readonly metrics: Metrics;
}

const CHECKPOINTS = "checkpoints";
const STATE = "state.json";
const isWhole = (directory: string): boolean => existsSync(path.join(directory, STATE));

export class RunDirectory {
  readonly path: string;
  #events: EventFile | null = null;
  /** For people. */
  get name(): string {
    return path.basename(this.path);
  }

  /** Makes the directory when it is not there. */
  constructor(directory: string) {
    this.path = path.resolve(directory);
    for (const part of [CHECKPOINTS, "transcripts"])
      mkdirSync(path.join(this.path, part), { recursive: true });
  }

  file(...names: readonly string[]): string {
    return path.join(this.path, ...names);
  }

  async writeConfig(config: unknown): Promise<void> {
    await writeWhole(this.file("config.json"), `${JSON.stringify(config, null, 2)}\n`);
  }

  logMetrics({ metrics, ...head }: MetricsLine): void {
    appendFileSync(this.file("metrics.jsonl"), `${JSON.stringify({ ...head, ...metrics })}\n`);
    const { phase, step, time } = head;
    const named = Object.entries(metrics).map(([name, value]) => [
      phase === "sft" ? `sft/${name}` : name,
      value,
    ]);
    this.#events?.append(step, time, Object.fromEntries(named) as Metrics);
  }

  /** From now on measurements go into a TensorBoard event file too. */
  writeEvents(): void {
    this.#events = createEventFile(this.path);
  }

  /** Where the rollouts of a step were, when. */
  logTimeline(step: number, entries: readonly object[]): void {
    const text = entries.map((entry) => `${JSON.stringify({ step, ...entry })}\n`).join("");
    appendFileSync(this.file("timeline.jsonl"), text);
  }

  /** Bytes of metrics.jsonl: where a run that is resumed goes on. */
  metricsBytes(): number {
    const file = this.file("metrics.jsonl");
    return existsSync(file) ? statSync(file).size : 0;
  }

  /** Forgets what was measured after a checkpoint: of the metrics what is beyond `bytes`, and the steps after `step`. */
  cutBack({ bytes, step }: { readonly bytes: number; readonly step: number }): void {
    const metrics = this.file("metrics.jsonl");
    if (existsSync(metrics)) truncateSync(metrics, Math.min(bytes, statSync(metrics).size));
    const timeline = this.file("timeline.jsonl");
    if (!existsSync(timeline)) return;
    const lines = readFileSync(timeline, "utf8").split("\n").slice(0, -1);
    const kept = lines.filter((line) => (JSON.parse(line) as { step: number }).step <= step);
    writeFileSync(timeline, kept.map((line) => `${line}\n`).join(""));
  }

  /** One file for each step; written anew when a step is repeated after a resume. */
  async writeTranscripts(name: string, rows: readonly unknown[]): Promise<void> {
    const text = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
    await writeWhole(this.file("transcripts", `${name}.jsonl`), text);
  }

  /**
   * Writes a checkpoint.
   * @param fill writes into the directory it is given, which is not the final one, and returns the loop's state
   * @throws what writing throws; the checkpoints that were there before are untouched then
   */
  async writeCheckpoint(
    step: number,
    kept: number,
    fill: (directory: string) => Promise<unknown>,
  ): Promise<void> {
    const final = this.file(CHECKPOINTS, `step-${String(step).padStart(6, "0")}`);
    const draft = `${final}.draft`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft);
    try {
      const state = await fill(draft);
      await writeFile(path.join(draft, STATE), `${JSON.stringify(state)}\n`, { flush: true });
      await rm(final, { recursive: true, force: true });
      await rename(draft, final);
    } catch (error) {
      rmSync(draft, { recursive: true, force: true });
      throw error;
    }
    for (const old of this.#checkpoints().slice(0, -kept)) await rm(old, { recursive: true, force: true });
  }

  /** The newest complete checkpoint, or null. */
  lastCheckpoint(): { readonly directory: string; readonly state: unknown } | null {
    const directory = this.#checkpoints().at(-1);
    if (directory === undefined) return null;
    return { directory, state: JSON.parse(readFileSync(path.join(directory, STATE), "utf8")) as unknown };
  }

  #checkpoints(): string[] {
    return readdirSync(this.file(CHECKPOINTS))
      .filter((name) => /^step-\d+$/.test(name))
      .sort()
      .map((name) => this.file(CHECKPOINTS, name))
      .filter(isWhole);
  }
}

async function writeWhole(file: string, content: string): Promise<void> {
  await writeFile(`${file}.draft`, content);
  await rename(`${file}.draft`, file);
}
