/** A run of a program as tests state it, and its evidence as tests read it. */
import type { Limits } from "../../../src/contract/limits.ts";
import type { Captured, Evidence, RunSpec, Sandbox } from "../../../src/core/ports.ts";

const MiB = 1 << 20;

export const LIMITS: Limits = {
  wall_ms: 10_000,
  cpu_ms: 20_000,
  memory_bytes: 512 * MiB,
  output_bytes: MiB,
  processes: 64,
  disk_bytes: 64 * MiB,
};

export interface Program {
  readonly source: string;
  readonly stdin?: string | Buffer;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string | Buffer>>;
  readonly collect?: readonly string[];
  readonly cell?: boolean;
  readonly limits?: Partial<Limits>;
}

export function specOf(program: Program): RunSpec {
  return {
    entry: { kind: "isolate", fileName: "main.js" },
    source: Buffer.from(program.source),
    stdin: Buffer.from(program.stdin ?? ""),
    args: program.args ?? [],
    env: program.env ?? {},
    files: Object.entries(program.files ?? {}).map(([path, content]) => ({
      path,
      content: Buffer.from(content),
    })),
    collect: program.collect ?? [],
    cell: program.cell ?? false,
    limits: { ...LIMITS, ...program.limits },
  };
}

export const textOf = ({ head, tail }: Captured) => Buffer.concat([head, tail]).toString("utf8");

export interface Seen {
  readonly evidence: Evidence;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runIn(
  sandbox: Sandbox,
  program: Program | string,
  signal = new AbortController().signal,
): Promise<Seen> {
  const evidence = await sandbox.run(
    specOf(typeof program === "string" ? { source: program } : program),
    signal,
  );
  return { evidence, stdout: textOf(evidence.stdout), stderr: textOf(evidence.stderr) };
}
