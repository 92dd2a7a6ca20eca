/** The real service behind short timeouts, and what shows whether it holds anything of clients that are gone. */
import { readFileSync } from "node:fs";
import { readMetrics } from "../../scripts/soak/metrics.ts";
import { ask } from "../support/ask.ts";
import { allForkServers } from "../support/fork-servers.ts";
import { countLeftovers } from "../support/leftovers.ts";
import { until } from "../support/pool.ts";
import { type Service, startService } from "../support/service.ts";

export interface Door {
  readonly service: Service;
  readonly url: string;
  readonly port: number;
  /** A call on a connection of its own is answered, and rightly. */
  healthy(): Promise<boolean>;
  /** Resolves once the service has no connection beside ours, no request, and the descriptors of its start. */
  untilBack(): Promise<void>;
  /** Memory of the service once all garbage is collected: what JavaScript holds, and what the system counts. */
  memoryMib(): Promise<{ held: number; resident: number }>;
}

export const BODY_BYTES_MAX = 1 << 20;
export const HEADERS_TIMEOUT_MS = 1000;

const COLLECTOR = new URL("../support/collect-on-signal.mjs", import.meta.url).href;
/** Connections of the tests' own requests, which stay open. */
const OWN_CONNECTIONS_MAX = 8;

export async function openDoor(
  flags: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Door> {
  const service = await startService(
    [
      `--http.bodyBytesMax=${BODY_BYTES_MAX}`,
      `--http.headersTimeoutMs=${HEADERS_TIMEOUT_MS}`,
      "--http.requestTimeoutMs=2000",
      "--http.stallTimeoutMs=1000",
      "--python.slots=2",
      "--javascript.slots=1",
      ...flags,
    ],
    { ...env, NODE_OPTIONS: `--import ${COLLECTOR}` },
  );
  const pid = service.process.pid as number;
  const { url } = service;
  const holds = async () => {
    const metrics = await readMetrics(url);
    const connections = metrics.value("rollcall_http_connections");
    return {
      connections,
      requests: metrics.value("rollcall_http_requests") + metrics.value("rollcall_http_body_bytes"),
      running: metrics.value("rollcall_calls_running") + metrics.value("rollcall_queue_calls"),
      descriptors: countLeftovers(pid).descriptors - connections,
    };
  };
  const healthy = async () => {
    const answer = await ask(`${url}/v1/calls`, { body: { runtime: "python", source: "print(6 * 7)" } });
    return answer.status === 200 && answer.json.stdout === "42\n";
  };
  await allForkServers({ describe: async () => (await ask(`${url}/v1/info`)).json });
  await healthy();
  const { descriptors } = await holds();
  return {
    service,
    url,
    port: Number(new URL(url).port),
    healthy,
    untilBack: () =>
      until("the service holds nothing of clients that are gone", async () => {
        const now = await holds();
        return (
          now.connections <= OWN_CONNECTIONS_MAX &&
          now.requests === 0 &&
          now.running === 0 &&
          now.descriptors <= descriptors
        );
      }),
    async memoryMib() {
      // Twice: what was freed by the first collection may have held buffers that only the second one finds.
      for (let round = 0; round < 2; round++) {
        service.process.kill("SIGUSR2");
        await readMetrics(url);
      }
      const metrics = await readMetrics(url);
      const held =
        metrics.value("nodejs_heap_size_used_bytes") + metrics.value("nodejs_external_memory_bytes");
      const resident = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
      return { held: held / 2 ** 20, resident: resident / 1024 };
    },
  };
}
