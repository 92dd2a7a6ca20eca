/**
 * The log: JSON lines by pino, or the same lines for people. Messages are short and constant, everything
 * that varies is a field; keys and programs never are.
 */
import { pino, type DestinationStream, type Logger } from "pino";
import type { Config } from "../config/schema.ts";

export type Log = Logger;

const LEVELS: Readonly<Record<number, string>> = { 10: "TRACE", 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR", 60: "FATAL" };

/** One JSON line as a line for people. */
export function prettyLine(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const clock = new Date(time as number).toISOString().slice(11, 23);
  const fields = Object.entries(rest)
    .map(([name, value]) => ` ${name}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join("");
  const stack = (err as { stack?: string } | undefined)?.stack;
  return `${clock} ${(LEVELS[level as number] ?? "").padEnd(5)} ${String(msg ?? "")}${fields}${stack === undefined ? "" : `\n${stack}`}\n`;
}

/** @param destination where lines go; standard output when it is left out. */
export function createLog(config: Config["log"], destination?: DestinationStream): Log {
  const out = destination ?? pino.destination({ dest: 1, sync: false });
  const stream = config.pretty ? { write: (line: string) => out.write(prettyLine(line)) } : out;
  return pino({ level: config.level, base: null }, stream);
}
