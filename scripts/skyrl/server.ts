/**
 * SkyRL's Tinker server on this machine's processor, with a tiny Qwen3 of random weights. Everything comes from PyPI
 * and goes below `.rollcall/skyrl`; no model hub is asked.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, "../..");
const HOME = path.join(ROOT, ".rollcall/skyrl");
const TOKENIZER = path.join(ROOT, "test/rl/renderers/hermes-tiny");

/** The first start compiles nothing yet, but imports jax, torch and transformers on a machine that may be busy. */
const START_MS = 180_000;
const STOP_MS = 15_000;

/** It starts its engine as `uv run` with these extras, so that there must be a project that has them. */
const PROJECT = `[project]
name = "skyrl-server"
version = "0"
requires-python = ">=3.12"

[project.optional-dependencies]
tinker = []
jax = []
`;

function pythonCandidates(): string[] {
  const pyenv = path.join(os.homedir(), ".pyenv/versions");
  const own = existsSync(pyenv)
    ? readdirSync(pyenv).map((version) => path.join(pyenv, version, "bin/python"))
    : [];
  const given = process.env["ROLLCALL_SKYRL_PYTHON"];
  return [
    ...(given === undefined ? [] : [given]),
    "python3",
    "python3.12",
    "python3.13",
    "python3.14",
    ...own,
  ];
}

/** @throws Error that says what is wanted, when there is no Python from 3.12 to 3.14 */
async function findPython(): Promise<string> {
  for (const candidate of pythonCandidates()) {
    try {
      const { stdout } = await run(candidate, ["-c", "import sys; print(*sys.version_info[:2])"]);
      const [major, minor] = stdout.trim().split(" ").map(Number);
      if (major === 3 && minor !== undefined && minor >= 12 && minor < 15) return candidate;
    } catch {
      // Not there, or a shim of a version that is not installed.
    }
  }
  throw new Error("SkyRL 0.4 needs Python 3.12 to 3.14; ROLLCALL_SKYRL_PYTHON may name one");
}

/** Installs what is missing; a second time it does nothing. Some 3 GB, most of it torch. */
export async function prepareSkyrl(say: (line: string) => void): Promise<void> {
  const bin = path.join(HOME, "venv/bin");
  const requirements = path.join(import.meta.dirname, "requirements.txt");
  const stamp = path.join(HOME, "installed");
  const wanted = readFileSync(requirements, "utf8");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    mkdirSync(HOME, { recursive: true });
    const python = await findPython();
    say(`installing SkyRL from PyPI with ${python}`);
    if (!existsSync(path.join(bin, "python"))) await run(python, ["-m", "venv", path.join(HOME, "venv")]);
    await run(path.join(bin, "python"), ["-m", "pip", "install", "-q", "-r", requirements], {
      maxBuffer: 1 << 26,
    });
    writeFileSync(stamp, wanted);
  }
  const maker = path.join(import.meta.dirname, "make_model.py");
  const made = path.join(HOME, "model/made-by.py");
  if (!existsSync(made) || !readFileSync(made).equals(readFileSync(maker))) {
    say("making a tiny Qwen3");
    await run(path.join(bin, "python"), [maker, TOKENIZER, path.join(HOME, "model")]);
    copyFileSync(maker, made);
  }
  mkdirSync(path.join(HOME, "project"), { recursive: true });
  writeFileSync(path.join(HOME, "project/pyproject.toml"), PROJECT);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function launch(port: number, log: number): ChildProcess {
  const config = {
    max_lora_adapters: 4,
    max_lora_rank: 8,
    train_micro_batch_size: 16,
    sample_max_num_sequences: 64,
  };
  const database = path.join(HOME, `tinker-${port}.db`);
  return spawn(
    path.join(HOME, "venv/bin/uv"),
    [
      "run",
      "--no-sync",
      `--project=${path.join(HOME, "project")}`,
      "--extra=tinker",
      "--extra=jax",
      "-m",
      "skyrl.tinker.api",
      "--backend=jax",
      `--base-model=${path.join(HOME, "model")}`,
      `--backend-config=${JSON.stringify(config)}`,
      `--database-url=sqlite:///${database}`,
      `--checkpoints-base=${path.join(HOME, "checkpoints")}`,
      "--host=127.0.0.1",
      `--port=${port}`,
    ],
    {
      detached: true,
      stdio: ["ignore", log, log],
      env: {
        ...process.env,
        PATH: `${path.join(HOME, "venv/bin")}:${process.env["PATH"] ?? ""}`,
        UV_PROJECT_ENVIRONMENT: path.join(HOME, "venv"),
        UV_OFFLINE: "1",
        HF_HUB_OFFLINE: "1",
        JAX_PLATFORMS: "cpu",
      },
    },
  );
}

export interface SkyrlServer {
  readonly url: string;
  /** Of its output. */
  readonly logFile: string;
  close(): Promise<void>;
}

/** Ends the server's whole process group: the API, its engine and uv between them. */
async function end(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    try {
      process.kill(-pid, signal);
    } catch {
      return;
    }
    await Promise.race([gone, sleep(STOP_MS)]);
  }
}

/** @throws Error with the end of its output when it does not come up */
export async function startSkyrl(): Promise<SkyrlServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const logFile = path.join(HOME, "server.log");
  const log = openSync(logFile, "w");
  const child = launch(port, log);
  closeSync(log);
  const until = performance.now() + START_MS;
  while (performance.now() < until && child.exitCode === null) {
    const answer = await fetch(`${url}/api/v1/healthz`).catch(() => null);
    if (answer?.ok === true) return { url, logFile, close: () => end(child) };
    await sleep(500);
  }
  await end(child);
  throw new Error(`SkyRL did not start:\n${readFileSync(logFile, "utf8").slice(-2000)}`);
}
