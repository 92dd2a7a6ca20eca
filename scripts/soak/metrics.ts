/** The service's own counts, from `/metrics`. */
import { request } from "undici";

export interface MetricsText {
  /** The sum over all label sets that have these labels; 0 when there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number;
}

export async function readMetrics(url: string): Promise<MetricsText> {
  const answer = await request(`${url}/metrics`);
  const lines = (await answer.body.text()).split("\n");
  return {
    value(name, labels = {}) {
      const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
      return lines
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        .filter((line) => wanted.every((label) => line.includes(label)))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
    },
  };
}

/** Whether nothing waits, nothing runs and every slot is idle. */
export async function isQuiet(url: string): Promise<boolean> {
  const metrics = await readMetrics(url);
  const slots = metrics.value("rollcall_slots");
  return (
    metrics.value("rollcall_queue_calls") === 0 &&
    metrics.value("rollcall_calls_running") === 0 &&
    slots > 0 &&
    metrics.value("rollcall_slots", { state: "idle" }) === slots
  );
}
