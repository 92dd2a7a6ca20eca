/** The micro benches as a suite. */
import { measured } from "../results/schema.ts";
import type { Suite } from "../suites/suite.ts";
import { MICRO_BENCHES } from "./benches.ts";
import { timeMicro } from "./loop.ts";
import { timeSchemas } from "./schemas.ts";

export const micro: Suite = {
  name: "micro",
  title: "Single functions on the way of a call",
  async run(session) {
    const options = { batches: session.size(15, 2), batchMs: session.size(30, 1) };
    const schemas = await timeSchemas(options);
    const results = MICRO_BENCHES.map((bench) => ({ bench, result: timeMicro(bench, options) }));
    return {
      measures: [...results, ...schemas].map(({ bench: { id, label, per }, result }) =>
        measured({ id, label, unit: `ns/${per}`, better: "lower" }, ...result.batchesNs),
      ),
    };
  },
};
