/**
 * Python packages for tests, from PyPI into `.rollcall/` at the first run. Where PyPI cannot be reached a test is left
 * out, and says so.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";

export const INSTALL_MS_MAX = 180_000;

export interface Finished {
  readonly code: number | null;
  readonly output: string;
}

/** Runs the machine's Python. */
export function python(
  args: readonly string[],
  env: Record<string, string> = {},
  timeoutMs = INSTALL_MS_MAX,
): Promise<Finished> {
  const child = spawn("python3", [...args], {
    cwd: tmpdir(),
    env: { PATH: process.env["PATH"] ?? "", HOME: tmpdir(), PYTHONDONTWRITEBYTECODE: "1", ...env },
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: null, output: error.message }));
    child.once("close", (code) => resolve({ code, output }));
  });
}

const OPTIONS = ["--quiet", "--no-input", "--disable-pip-version-check", "--root-user-action", "ignore"];

/**
 * A directory for `PYTHONPATH` with these packages, or why they cannot be had.
 * @param flags further flags of `pip install`, e.g. `--no-deps`
 */
export async function packages(
  name: string,
  requirements: readonly string[],
  flags: readonly string[] = [],
): Promise<{ readonly path: string } | { readonly missing: string }> {
  const path = fileURLToPath(new URL(`../../.rollcall/pypi/${name}`, import.meta.url));
  const mark = `${path}/.installed`;
  const wanted = [...requirements, ...flags].join("\n");
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return { path };
  const fresh = `${path}.${process.pid}`;
  const done = await python([
    "-m",
    "pip",
    "install",
    ...OPTIONS,
    ...flags,
    "--target",
    fresh,
    ...requirements,
  ]);
  if (done.code !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    const reason = done.output.trim().split("\n").at(-1) ?? "";
    return { missing: `${requirements.join(", ")} cannot be installed from PyPI: ${reason}` };
  }
  writeFileSync(`${fresh}/.installed`, wanted);
  rmSync(path, { recursive: true, force: true });
  renameSync(fresh, path);
  return { path };
}
