/**
 * The engine server driven by the `tinker` Python SDK, the client it has to please. The SDK comes from PyPI into
 * `.rollcall/` at the first run, with the packages it imports and no others; where PyPI cannot be reached the test is
 * left out, and says so.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Endpoint, startEndpoint } from "./endpoint.ts";

const SDK = "tinker==0.38.0";
const NEEDS =
  "annotated-types==0.8.0 anyio==4.16.0 certifi==2026.10.18 click==8.5.1 distro==1.9.0 h11==0.16.0 h2==4.4.1 hpack==4.2.0 httpcore==1.0.9 httpcore2==2.16.2 httpx==0.28.1 httpx2==2.16.2 hyperframe==6.1.0 idna==3.20 markdown-it-py==4.3.0 mdurl==0.1.2 numpy==2.4.6 opentelemetry-api==1.45.2 orjson==3.13.0 protobuf==7.36.2 pydantic==2.14.3 pydantic_core==2.50.4 Pygments==2.21.0 pyqwest==0.12.0 rich==15.0.0 sniffio==1.3.1 truststore==0.10.5 typing-inspection==0.4.5 typing_extensions==4.16.0 zstandard==0.25.0";
const HOME = fileURLToPath(new URL("../../../.rollcall/tinker-sdk", import.meta.url));
const PROGRAM = fileURLToPath(new URL("sdk.py", import.meta.url));
const INSTALL_MS_MAX = 180_000;
const RUN_MS_MAX = 120_000;

let server: Endpoint;
const directory = mkdtempSync(join(tmpdir(), "rollcall-sdk-"));
beforeAll(async () => {
  server = await startEndpoint();
});
afterAll(async () => {
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function python(args: readonly string[], env: Record<string, string>, timeoutMs: number): Promise<Finished> {
  const child = spawn("python3", [...args], {
    cwd: directory,
    env: { PATH: process.env["PATH"] ?? "", HOME: directory, ...env },
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => (stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (stderr += String(chunk)));
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: null, stdout, stderr: error.message }));
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** Why the SDK cannot be had, or null when it is there. */
async function install(): Promise<string | null> {
  if (existsSync(join(HOME, `${SDK.replace("==", "-")}.dist-info`))) return null;
  const fresh = `${HOME}.${process.pid}`;
  const options = ["--quiet", "--no-input", "--no-deps", "--disable-pip-version-check", "--root-user-action"];
  const done = await python(
    ["-m", "pip", "install", ...options, "ignore", "--target", fresh, SDK, ...NEEDS.split(" ")],
    {},
    INSTALL_MS_MAX,
  );
  if (done.code !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    return `The tinker SDK cannot be installed from PyPI: ${done.stderr.trim().split("\n").at(-1) ?? "pip gave no reason"}`;
  }
  rmSync(HOME, { recursive: true, force: true });
  renameSync(fresh, HOME);
  return null;
}

interface Outcome {
  readonly losses: readonly number[];
  readonly likeliest: readonly number[];
  readonly likeliest_logprobs: readonly number[];
  readonly scored: readonly (number | null)[];
  readonly sampled_tokens: number;
  readonly ppo_loss: number;
  readonly saved: string;
  readonly expected: number;
  readonly resumed: number;
  readonly refused: string;
}

it(
  "the SDK trains, samples, scores, does a policy step, saves and resumes",
  { timeout: INSTALL_MS_MAX + RUN_MS_MAX + 10_000 },
  async (context) => {
    const missing = await install();
    if (missing !== null) console.warn(`test/rl/engine-server/sdk.test.ts is skipped. ${missing}`);
    context.skip(missing !== null, missing ?? "");
    const env = {
      PYTHONPATH: HOME,
      PYTHONDONTWRITEBYTECODE: "1",
      PYTHONWARNINGS: "ignore",
      TINKER_TELEMETRY: "0",
      ENGINE_URL: server.url,
    };
    const { code, stdout, stderr } = await python([PROGRAM], env, RUN_MS_MAX);
    expect(code, stderr).toBe(0);
    const told = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Outcome;
    expect(told.losses).toHaveLength(30);
    expect(told.losses.at(-1)).toBeLessThan((told.losses[0] ?? 0) / 4);
    expect(told.likeliest).toEqual([4, 5, 6, 7, 8, 9, 20]);
    // What sampling said of each token is what scoring the same text says.
    expect(told.scored[0]).toBeNull();
    for (const [index, logprob] of told.likeliest_logprobs.entries())
      expect(told.scored[index + 1]).toBeCloseTo(logprob, 4);
    // Under the very weights that sampled them every ratio is 1, and so the loss is -1 for each token.
    expect(told.ppo_loss).toBeCloseTo(-told.sampled_tokens, 2);
    expect(told.saved).toMatch(/^tinker:\/\/.+\/weights\/one$/);
    expect(told.resumed).toBe(told.expected);
    expect(told.refused).toContain("ids are 0 to 23");
    expect(server.failures).toEqual([]);
  },
);
