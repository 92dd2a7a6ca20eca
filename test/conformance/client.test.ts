import { createClient } from "../../src/client/index.ts";
import { startService } from "../support/service.ts";
import { describeExecutor } from "./executor-suite.ts";

describeExecutor("Client over HTTP", async () => {
  const service = await startService();
  const executor = createClient({ baseUrl: service.url });
  return {
    executor,
    close: async () => {
      await executor.close();
      await service.stop();
    },
  };
});
