/** A step's verifications at once, and what one mathematical check costs by itself and in a cold interpreter. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createClient, type Client } from "../../src/client/index.ts";
import type { Verdict } from "../../src/contract/verdict.ts";
import { mathCheck, mixedChecks, type PlannedVerification } from "../load/verifications.ts";
import type { Recorder } from "../load/recorder.ts";
import type { Service } from "../machine/service.ts";
import { coldEnvironment, INTERPRETER } from "../reference/fork-loop.ts";
import { measured, type LoadResult, type Measure } from "../results/schema.ts";
import { cpuPerCall, nativeTarget } from "./saturate.ts";
import { completeness, highest, refusals, RSS_BYTES_MAX, type Session, type Suite } from "./suite.ts";

const VERIFICATIONS = 16_000;
const COLD = String.raw`import time
from math_verify import parse, verify
assert verify(parse("0.5"), parse(r"\boxed{\frac{1}{2}}"))
print(time.process_time() * 1000)`;

const run = promisify(execFile);

/** CPU time of a check in an interpreter that has imported nothing. Milliseconds. */
async function coldCheck(): Promise<number> {
  const { stdout } = await run(INTERPRETER, ["-c", COLD], { env: coldEnvironment() });
  return Number(stdout);
}

function record(
  recorder: Recorder,
  planned: PlannedVerification,
  verdict: Verdict,
  dueMs: number,
  atMs: number,
) {
  const complaint =
    verdict.verdict === planned.verdict
      ? null
      : `verdict ${verdict.verdict}, not ${planned.verdict}: ${verdict.detail}`;
  const { kind } = planned.verification;
  recorder.answer(
    kind,
    { outcome: verdict.verdict, complaint, cpuMs: verdict.usage.cpu_ms },
    dueMs,
    atMs,
    null,
  );
}

/** All of them in one batch, as lines. */
async function sendBatch(
  client: Client,
  checks: readonly PlannedVerification[],
  recorder: Recorder,
): Promise<void> {
  const startedAt = performance.now();
  recorder.sent(checks.length, 0);
  let open = checks.length;
  try {
    const batch = checks.map(({ verification }) => verification);
    for await (const { index, verdict } of await client.verifyBatch(batch)) {
      open -= 1;
      record(recorder, checks[index] as PlannedVerification, verdict, 0, performance.now() - startedAt);
    }
  } catch (error) {
    recorder.refuse(open, error);
  }
}

/** One after the other: each alone on the service. */
async function sendOneByOne(
  client: Client,
  checks: readonly PlannedVerification[],
  recorder: Recorder,
): Promise<number[]> {
  const startedAt = performance.now();
  const cpuMs: number[] = [];
  for (const planned of checks) {
    const dueMs = performance.now() - startedAt;
    recorder.sent(1, 0);
    const verdict = await client.verify(planned.verification);
    record(recorder, planned, verdict, dueMs, performance.now() - startedAt);
    cpuMs.push(verdict.usage.cpu_ms);
  }
  return cpuMs;
}

async function withClient<T>(service: Service, use: (client: Client) => Promise<T>): Promise<T> {
  // A refusal is a finding here, not something to be waited out.
  const client = createClient({ baseUrl: service.url, retry: { attemptsMax: 1 } });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

async function single(session: Session): Promise<Measure[]> {
  const service = await session.startService();
  const target = nativeTarget(session, service, "ndjson", 1);
  const checks = Array.from({ length: session.size(600, 60) }, (_, n) => mathCheck(n));
  let cpuMs: number[] = [];
  const load = await withClient(service, async (client) => {
    for (const { verification } of checks.slice(0, 20)) await client.verify(verification);
    return session.load("one math check at a time", target, async ({ recorder }) => {
      cpuMs = await sendOneByOne(client, checks, recorder);
    });
  });
  await service.stop();
  const cold: number[] = [];
  for (let round = 0; round < session.size(7, 2); round += 1) cold.push(await coldCheck());
  const { latency } = load.recorded;
  return [
    completeness("single", "math checks, one at a time: right", load),
    measured({ id: "single.p50", label: "  p50", unit: "ms", better: "lower" }, latency.p50Ms),
    measured({ id: "single.p99", label: "  p99", unit: "ms", better: "lower" }, latency.p99Ms),
    measured({ id: "single.run", label: "  CPU of its run", unit: "ms", better: "lower" }, ...cpuMs),
    measured(
      { id: "single.cpu", label: "  CPU in all", unit: "ms CPU/call", better: "lower" },
      cpuPerCall(load),
    ),
    measured({ id: "cold.cpu", label: "  CPU in a cold python3", unit: "ms", better: "lower" }, ...cold),
  ];
}

function tell(load: LoadResult): Measure[] {
  const { recorded } = load;
  return [
    completeness("burst", "verifications in one batch: right", load),
    refusals("burst.refused", load),
    measured(
      {
        id: "burst.rss",
        label: "  highest RSS of the server's process",
        unit: "MiB",
        better: "lower",
        target: RSS_BYTES_MAX / 2 ** 20,
      },
      highest(load, (sample) => sample.rssBytes) / 2 ** 20,
    ),
    measured({ id: "burst.rate", label: "  rate", unit: "calls/s", better: "higher" }, recorded.perSecond),
    measured({ id: "burst.cpu", label: "  CPU", unit: "ms CPU/call", better: "lower" }, cpuPerCall(load)),
  ];
}

export const verify: Suite = {
  name: "verify",
  title: "16,000 verifications at once",
  async run(session) {
    const one = await single(session);
    const service = await session.startService();
    const target = nativeTarget(session, service, "ndjson", 1);
    const checks = mixedChecks(session.size(VERIFICATIONS, 320));
    const load = await withClient(service, (client) =>
      session.load("verifications", target, ({ recorder }) => sendBatch(client, checks, recorder)),
    );
    await service.stop();
    return { measures: [...tell(load), ...one] };
  },
};
