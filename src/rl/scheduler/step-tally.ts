/** Counts of one step, and the `scheduler/*` metrics that they become. */
import type { Metrics } from "../ports.ts";

class Spread {
  #count = 0;
  #sum = 0;
  #max = 0;

  add(value: number): void {
    this.#count += 1;
    this.#sum += value;
    this.#max = Math.max(this.#max, value);
  }

  entries(name: string): [string, number][] {
    return [
      [`${name}/mean`, this.#count === 0 ? 0 : this.#sum / this.#count],
      [`${name}/max`, this.#max],
    ];
  }
}

export class StepTally {
  trajectories = 0;
  turns = 0;
  /** Moves because another engine had less to do, and because the engine had failed. */
  repinned = 0;
  rescued = 0;
  preemptions = 0;
  /** Seconds. */
  readonly queueWait = new Spread();
  readonly turnWait = new Spread();
  /** Per engine and sample. */
  readonly inFlight = new Spread();
  readonly running = new Spread();
  readonly kvUsage = new Spread();
  readonly credit = new Spread();

  metrics(): Metrics {
    return Object.fromEntries([
      ["scheduler/trajectories", this.trajectories],
      ["scheduler/turns", this.turns],
      ["scheduler/repinned", this.repinned],
      ["scheduler/rescued", this.rescued],
      ["scheduler/preemptions", this.preemptions],
      ...this.queueWait.entries("scheduler/queue_wait_s"),
      ...this.turnWait.entries("scheduler/turn_wait_s"),
      ...this.inFlight.entries("scheduler/in_flight"),
      ...this.running.entries("scheduler/running"),
      ...this.kvUsage.entries("scheduler/kv_usage"),
      ...this.credit.entries("scheduler/credit"),
    ]);
  }
}
