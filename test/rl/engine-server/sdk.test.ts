/**
 * The engine server driven by the `tinker` Python SDK, the client it has to please: of PyPI, with the packages it
 * imports and no others.
 */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { INSTALL_MS_MAX, packages, python } from "../../support/pypi.ts";
import { type Endpoint, startEndpoint } from "./endpoint.ts";

const SDK = "tinker==0.38.0";
const NEEDS =
  "annotated-types==0.8.0 anyio==4.16.0 certifi==2026.10.18 click==8.5.1 distro==1.9.0 h11==0.16.0 h2==4.4.1 hpack==4.2.0 httpcore==1.0.9 httpcore2==2.16.2 httpx==0.28.1 httpx2==2.16.2 hyperframe==6.1.0 idna==3.20 markdown-it-py==4.3.0 mdurl==0.1.2 numpy==2.4.6 opentelemetry-api==1.45.2 orjson==3.13.0 protobuf==7.36.2 pydantic==2.14.3 pydantic_core==2.50.4 Pygments==2.21.0 pyqwest==0.12.0 rich==15.0.0 sniffio==1.3.1 truststore==0.10.5 typing-inspection==0.4.5 typing_extensions==4.16.0 zstandard==0.25.0";
const PROGRAM = fileURLToPath(new URL("sdk.py", import.meta.url));
const RUN_MS_MAX = 120_000;

let server: Endpoint;
beforeAll(async () => {
  server = await startEndpoint();
});
afterAll(() => server.close());

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
    const had = await packages("tinker-sdk", [SDK, ...NEEDS.split(" ")], ["--no-deps"]);
    if ("missing" in had) console.warn(`test/rl/engine-server/sdk.test.ts is skipped. ${had.missing}`);
    context.skip("missing" in had, "missing" in had ? had.missing : "");
    const env = {
      PYTHONPATH: "path" in had ? had.path : "",
      PYTHONWARNINGS: "ignore",
      TINKER_TELEMETRY: "0",
      ENGINE_URL: server.url,
    };
    const { code, output } = await python([PROGRAM], env, RUN_MS_MAX);
    expect(code, output).toBe(0);
    const told = JSON.parse(output.trim().split("\n").at(-1) ?? "") as Outcome;
    expect(told.losses).toHaveLength(30);
    expect(told.losses.at(-1)).toBeLessThan((told.losses[0] ?? 0) / 4);
    expect(told.likeliest).toEqual([4, 5, 6, 7, 8, 9, 20]);
    // What sampling said of each token is what scoring the same text says.
    expect(told.scored[0]).toBeNull();
    expect(told.likeliest_logprobs).toHaveLength(told.likeliest.length);
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
