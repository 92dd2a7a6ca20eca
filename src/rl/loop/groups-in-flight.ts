/**
 * Groups of rollouts from their beginning to the step that learns from them. A step may end before all that were
 * begun are complete; the others stay here and go on, under the weights that are published meanwhile.
 */
import type { Trajectory } from "../rollout/trajectory.ts";
import type { Problem } from "../tasks/problem.ts";

interface Begun {
  readonly problem: Problem;
  /** Policy step in which it was begun. */
  readonly step: number;
  readonly rollouts: Promise<readonly Trajectory[]>;
  complete: readonly Trajectory[] | null;
}

export class GroupsInFlight {
  #begun: Begun[] = [];
  readonly #given = new AbortController();

  /** Aborts when what is in flight is given up. */
  get signal(): AbortSignal {
    return this.#given.signal;
  }

  get size(): number {
    return this.#begun.length;
  }

  /** Problems of the groups here, the oldest first. */
  get problemIds(): string[] {
    return this.#begun.map(({ problem }) => problem.id);
  }

  begin(problem: Problem, step: number, rollouts: Promise<readonly Trajectory[]>): void {
    const begun: Begun = { problem, step, rollouts, complete: null };
    // Whoever waits for it is told of its failure; that nobody does at the moment is no crash.
    rollouts.then(
      (complete) => (begun.complete = complete),
      () => undefined,
    );
    this.#begun.push(begun);
  }

  /**
   * Waits until `count` groups are complete, and all those begun before step `dueBefore`.
   * @returns every group that is complete then, the oldest first; they are not here any more
   * @throws what the first of the rollouts here that failed threw
   */
  async take(count: number, dueBefore: number): Promise<(readonly Trajectory[])[]> {
    for (;;) {
      const open = this.#begun.filter(({ complete }) => complete === null);
      const isDue = open.some(({ step }) => step < dueBefore);
      if (open.length === 0 || (!isDue && this.#begun.length - open.length >= count)) break;
      await Promise.race(open.map(({ rollouts }) => rollouts));
    }
    const taken = this.#begun.flatMap(({ complete }) => (complete === null ? [] : [complete]));
    this.#begun = this.#begun.filter(({ complete }) => complete === null);
    return taken;
  }

  /** Ends all that is here. @returns how many groups that were */
  async giveUp(): Promise<number> {
    const begun = this.#begun;
    this.#begun = [];
    this.#given.abort(new Error("the stage is over"));
    await Promise.allSettled(begun.map(({ rollouts }) => rollouts));
    return begun.length;
  }
}
