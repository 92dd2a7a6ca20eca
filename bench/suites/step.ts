/** One step of training as a trainer makes it: rollouts with turns, then a verification of every answer at once. */
import { createMix } from "../load/mixes.ts";
import { planStep, STEP } from "../load/rollouts.ts";
import { sendRollouts } from "../load/send.ts";
import { measured } from "../results/schema.ts";
import { BATCH, cpuPerCall, nativeTarget } from "./saturate.ts";
import { completeness, type Suite } from "./suite.ts";

export const step: Suite = {
  name: "step",
  title: "One step of training",
  async run(session) {
    const service = await session.startService();
    const target = nativeTarget(session, service, "ndjson", 1024);
    const random = session.random();
    const shape = session.quick ? { ...STEP, rollouts: 24, thinkMs: 200, turnsMax: 4 } : STEP;
    const plan = planStep(shape, createMix("light", random), createMix("reward", random), random);
    const load = await session.load(`${shape.rollouts} rollouts`, target, (options) =>
      sendRollouts({ ...options, ...plan, batch: BATCH }),
    );
    const { latency } = load.recorded;
    return {
      measures: [
        completeness("right", "a step of rollouts: answered rightly", load),
        measured({ id: "p50", label: "  p50", unit: "ms", better: "lower" }, latency.p50Ms),
        measured({ id: "p99", label: "  p99", unit: "ms", better: "lower" }, latency.p99Ms),
        measured({ id: "cpu", label: "  CPU", unit: "ms CPU/call", better: "lower" }, cpuPerCall(load)),
      ],
    };
  },
};
