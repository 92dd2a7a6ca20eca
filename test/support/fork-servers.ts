/** The fork servers that a service starts while it serves: who counts what there is waits for them. */
import { setTimeout as pause } from "node:timers/promises";
import type { Executor } from "../../src/contract/executor.ts";

const START_MS_MAX = 60_000;
const LOOK_MS = 100;

/**
 * Waits until every fork server is there, so that none stands in for another.
 * @throws Error with those that are not there after a minute.
 */
export async function allForkServers(executor: Pick<Executor, "describe">): Promise<void> {
  const until = performance.now() + START_MS_MAX;
  for (;;) {
    const { engines } = await executor.describe();
    const away = engines
      .map(({ detail }) => detail["fork_servers_away"] ?? "none")
      .filter((names) => names !== "none");
    if (away.length === 0) return;
    if (performance.now() > until) throw new Error(`fork servers are away: ${away.join()}`);
    await pause(LOOK_MS);
  }
}
