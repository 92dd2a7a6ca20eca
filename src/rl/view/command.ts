/** `rollcall view`: a run in the browser, or as one file. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { exportPage } from "./export.ts";
import { attemptsOf } from "./page.ts";
import { drawCurves } from "./picture.ts";
import { readRun } from "./run-data.ts";
import { serveRuns } from "./server.ts";

const HELP = `Usage: rollcall view RUN [RUN ...] [--port 8708] [--out FILE] [--curves FILE]

  Shows run directories, several beside each other, on 127.0.0.1 until it is interrupted.

  --port N       port of loopback (default 8708; 0 takes a free one)
  --out FILE     writes one page that needs no server, and ends
  --curves FILE  writes the main curves as one SVG picture, and ends
`;

const PORT_MAX = 65_535;

export async function runView(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      port: { type: "string", default: "8708" },
      out: { type: "string" },
      curves: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help || positionals.length === 0) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  if (values.out !== undefined) {
    writeFileSync(values.out, exportPage(positionals));
    process.stdout.write(`Written: ${values.out}\n`);
    return 0;
  }
  if (values.curves !== undefined) {
    const runs = positionals.map(readRun);
    const series = runs.map(({ name, metrics }) => ({ name, runs: [metrics] }));
    writeFileSync(values.curves, drawCurves(series, Math.max(...runs.map(attemptsOf))));
    process.stdout.write(`Written: ${values.curves}\n`);
    return 0;
  }
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > PORT_MAX)
    throw new Error(`--port is a whole number from 0 to ${PORT_MAX}, not ${values.port}`);
  const server = await serveRuns(positionals, port);
  process.stdout.write(`${server.url}\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  await server.close();
  return 0;
}
