/**
 * The log: JSON lines by pino, or the same lines for people. Messages are short and constant, everything
 * that varies is a field; keys and programs never are.
 */
import { pino, symbols, type DestinationStream, type Logger } from "pino";

export type Log = Logger;

export interface LogOptions {
  readonly level: string;
  /** Lines for people in place of JSON. */
  readonly pretty: boolean;
}

const LEVELS: Readonly<Record<number, string>> = {
  10: "TRACE",
  20: "DEBUG",
  30: "INFO",
  40: "WARN",
  50: "ERROR",
  60: "FATAL",
};

interface Line {
  readonly level: number;
  readonly time: number;
  readonly msg?: string;
  readonly err?: { readonly stack?: string };
  readonly [field: string]: unknown;
}

/** One JSON line as a line for people. */
export function prettyLine(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line) as Line;
  const clock = new Date(time).toISOString().slice(11, 23);
  const fields = Object.entries(rest)
    .map(([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("");
  const stack = err?.stack;
  return `${clock} ${(LEVELS[level] ?? "").padEnd(5)} ${msg ?? ""}${fields}${stack === undefined ? "" : `\n${stack}`}\n`;
}

/** @param destination where lines go; standard output when it is left out. */
export function createLog(options: LogOptions, destination?: DestinationStream): Log {
  const out = destination ?? pino.destination({ dest: 1, sync: false });
  const stream = options.pretty ? { write: (line: string) => out.write(prettyLine(line)) } : out;
  return pino({ level: options.level, base: null }, stream);
}

/** Writes a line that another process of the service made, as it stands, where those of this log go. */
export function passLine(log: Log, line: string): void {
  (log as unknown as Record<symbol, DestinationStream>)[symbols.streamSym]?.write(line);
}
