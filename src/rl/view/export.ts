/** The page with its transcripts inside. */
import { viewPage } from "./page.ts";
import { readRun, readTranscript } from "./run-data.ts";

/** Transcripts that a page brings with it, as JSON, at most; the newest of each run are taken. Characters. */
const TRANSCRIPTS_MAX = 32 << 20;

/** @throws Error when a directory holds no run */
export function exportPage(directories: readonly string[]): string {
  const runs = directories.map(readRun);
  const share = TRANSCRIPTS_MAX / runs.length;
  const rows = runs.map((run) => {
    const taken: Record<string, unknown[]> = {};
    let size = 0;
    for (const name of run.transcripts.toReversed()) {
      const some = readTranscript(run, name);
      size += JSON.stringify(some).length;
      if (size > share) break;
      taken[name] = some;
    }
    return taken;
  });
  return viewPage(
    runs,
    rows,
    rows.map((taken) => Object.keys(taken).sort()),
  );
}
