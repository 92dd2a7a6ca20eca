/** What `rollcall doctor` looks at for a run of the loop, beyond what isolates programs: its recipe names it. */
import { randomUUID } from "node:crypto";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import path from "node:path";
import { createClient } from "../../client/index.ts";
import { fail, ok, warn, type Finding } from "../../lib/finding.ts";
import { readProblems } from "../data/problems.ts";
import { readRecipe } from "../loop/recipe.ts";
import type { Recipe } from "../loop/recipe-schema.ts";
import { BACKENDS } from "../policies/registry.ts";
import { keyOf } from "../secret.ts";

/** Room in the run's directory below which a run is likely to end, and below which it may. Bytes. */
const DISK_LEAST = 256 << 20;
const DISK_WANTED = 4 * 2 ** 30;
const ROWS_TRIED = 8;
const CALL_MS = 10_000;

/** @param words a recipe's file, or none for the built-in one, and `a.b=c` words over it */
export async function diagnoseLoop(words: readonly string[]): Promise<Finding[]> {
  const files = words.filter((word) => !word.includes("="));
  const name = "recipe";
  try {
    if (files.length > 1) throw new Error(`one recipe at most, not ${files.join(" and ")}`);
    const recipe = readRecipe(
      files[0] ?? null,
      words.filter((word) => word.includes("=")),
    );
    const { backend, ...settings } = recipe.engine;
    return [
      ok(name, `${files[0] ?? "the built-in one"}, on ${backend}`),
      ...((await BACKENDS[backend]?.diagnose(settings as never)) ?? []),
      ...(await findData(recipe)),
      ...(await findDirectory(recipe)),
      await findDoor(recipe),
    ];
  } catch (error) {
    return [fail(name, (error as Error).message, "rollcall train RECIPE --dry-run prints it as it is read")];
  }
}

async function findData({ data }: Recipe): Promise<Finding[]> {
  if (data.source !== "file") return [];
  const files = [data.file, data.heldOutFile].filter((file) => file !== "");
  return Promise.all(
    files.map(async (file) => {
      const name = `data ${path.basename(file)}`;
      try {
        const rows = await readProblems({ ...data, file, rowsMax: ROWS_TRIED });
        return ok(name, `${rows.length} problems read for a trial`);
      } catch (error) {
        return fail(
          name,
          (error as Error).message,
          "correct data.file, data.promptColumn and data.answerColumn",
        );
      }
    }),
  );
}

async function findDirectory({ run }: Recipe): Promise<Finding[]> {
  const directory = path.resolve(run.directory);
  const trial = path.join(directory, `.doctor-${randomUUID()}`);
  try {
    const made = await mkdir(directory, { recursive: true });
    await writeFile(trial, "", { flag: "wx" });
    const { bavail, bsize } = await statfs(directory);
    // What was not there before is not there afterwards.
    await rm(made ?? trial, { recursive: true });
    return [ok("run directory", `${directory} can be written`), findRoom(bavail * bsize)];
  } catch (error) {
    return [fail("run directory", (error as Error).message, "run.directory=DIR, one that may be written")];
  }
}

function findRoom(bytes: number): Finding {
  const name = "disk";
  const found = `${(bytes / 2 ** 30).toFixed(1)} GiB left for checkpoints and transcripts`;
  const fix =
    "run.directory=DIR on a larger disk, fewer run.checkpointsKept, or a larger run.transcriptsEvery";
  if (bytes < DISK_LEAST) return fail(name, found, fix);
  return bytes < DISK_WANTED ? warn(name, found, fix) : ok(name, found);
}

/** A program through the door that tool calls will go through. */
async function findDoor({ service: { url, key } }: Recipe): Promise<Finding> {
  const name = "service";
  if (url === "") return ok(name, "none is named: a run starts its own");
  try {
    const client = createClient({ baseUrl: url, ...keyOf(key), connections: 1, retry: { attemptsMax: 1 } });
    try {
      const signal = AbortSignal.timeout(CALL_MS);
      const { outcome, value } = await client.execute(
        { runtime: "python", source: "6 * 7", mode: "cell" },
        { signal },
      );
      return value === "42"
        ? ok(name, `${url} ran a program`)
        : fail(name, `${url} answered a program with ${outcome}`, "look at the service's log");
    } finally {
      await client.close();
    }
  } catch (error) {
    return fail(name, (error as Error).message, "npm start, or correct service.url and service.key");
  }
}
