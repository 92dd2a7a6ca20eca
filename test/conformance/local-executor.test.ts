import { createExecutor } from "../../src/index.ts";
import { describeExecutor } from "./executor-suite.ts";

describeExecutor("LocalExecutor", async () => {
  const executor = await createExecutor();
  return { executor, close: () => executor.close() };
});
