import { createClient } from "../../src/client/index.ts";
import { startService } from "../support/service.ts";
import { describeExecutor } from "./executor-suite.ts";

for (const [name, flags] of [
  ["Client over HTTP", []],
  ["Client over HTTP to several processes", ["--http.processes", "2"]],
] as const) {
  const start = async () => {
    const service = await startService(flags);
    const executor = createClient({ baseUrl: service.url });
    return {
      executor,
      close: async () => {
        await executor.close();
        await service.stop();
      },
    };
  };
  // Requests under way at once on connections that different fronts have overtake each other.
  describeExecutor(name, start, flags.length === 0);
}
