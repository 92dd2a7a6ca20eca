/** The fork servers that a service starts while it serves: tests that count what there is wait for them. */
import { expect, vi } from "vitest";
import type { Executor } from "../../src/contract/executor.ts";

const START_MS_MAX = 60_000;

/** Waits until every fork server is there, so that none stands in for another. */
export async function allForkServers(executor: Pick<Executor, "describe">): Promise<void> {
  await vi.waitFor(
    async () => {
      const { engines } = await executor.describe();
      for (const { detail } of engines) expect(detail["fork_servers_away"] ?? "none").toBe("none");
    },
    { timeout: START_MS_MAX, interval: 100 },
  );
}
