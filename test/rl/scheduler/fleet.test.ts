/** The scheduler over real HTTP servers that speak vLLM's API and metrics; one of them goes away in the middle. */
import { expect, test } from "vitest";
import { createVllmEngine } from "../../../src/rl/policies/vllm.ts";
import { createScheduler } from "../../../src/rl/scheduler/scheduler.ts";
import { startVllmStub } from "../stubs/vllm.ts";

test("rollouts go to all engines, and those of an engine that is gone are carried out by the others", async () => {
  const stubs = await Promise.all([startVllmStub(), startVllmStub(), startVllmStub()]);
  const engines = stubs.map(({ url }, at) => {
    const sampler = createVllmEngine({ baseUrl: url, name: `e${at}`, model: "stub", contextTokens: 512 });
    return { name: sampler.name, sampler, load: () => sampler.load() };
  });
  const scheduler = createScheduler({ engines, responseTokensMax: 64, pollMs: 20 });
  try {
    let ended = 0;
    const roll = async (at: number): Promise<void> => {
      const seat = await scheduler.admit({ key: `r${at}`, group: `g${at % 4}`, promptTokens: 3 });
      let prompt = [1, 2, 3];
      for (let turn = 0; turn < 3; turn += 1) {
        const request = { prompt, maxTokens: 8, temperature: 1, stop: [], seed: at };
        prompt = [...prompt, ...(await seat.sample(request)).tokens];
        if (at === 5 && turn === 0) await stubs[0]?.close();
      }
      seat.close();
      expect(prompt).toHaveLength(27);
      ended += 1;
    };
    await Promise.all(Array.from({ length: 24 }, (_, at) => roll(at)));
    expect(ended).toBe(24);
    const { metrics, timeline } = scheduler.endStep();
    expect(metrics).toMatchObject({ "scheduler/trajectories": 24, "scheduler/turns": 72 });
    expect(metrics["scheduler/rescued"]).toBeGreaterThan(0);
    expect(timeline).toContainEqual(expect.objectContaining({ kind: "down", engine: "e0" }));
  } finally {
    scheduler.close();
    await Promise.allSettled(stubs.map((stub) => stub.close()));
  }
});
