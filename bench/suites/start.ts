/** Point 6: from the start of the process to its first answer, and what the loss of a fork server costs. */
import { mixOf, take, TRIVIAL_PYTHON, TRIVIAL_SCIENTIFIC } from "../load/mixes.ts";
import { sendClosed } from "../load/send.ts";
import { findProcesses } from "../machine/cpu.ts";
import type { Service } from "../machine/service.ts";
import { measured, type LoadResult, type Measure } from "../results/schema.ts";
import type { Target } from "../targets/target.ts";
import { nativeTarget } from "./saturate.ts";
import { completeness, type Session, type Suite } from "./suite.ts";

const START_S_MAX = 3;
const REPLACED_MS_MAX = 100;
/** What the command line of the fork server without modules holds. */
const PLAIN_SERVER = '"modules":[]';

async function startOnce(session: Session): Promise<{ seconds: number; service: Service }> {
  const startedAt = performance.now();
  const service = await session.startService({ settles: false });
  const target = nativeTarget(session, service, "single", 1);
  const load = await session.load("first call", target, (options) =>
    sendClosed({ ...options, calls: take(mixOf([TRIVIAL_SCIENTIFIC], session.random()), 1), requests: 1 }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  if (load.recorded.answered !== 1 || load.recorded.wrong > 0)
    throw new Error(`the first call failed: ${JSON.stringify(load.recorded.refused)}`);
  return { seconds, service };
}

/** How much longer than the median the slowest call took. */
const excess = ({ recorded }: LoadResult): number => recorded.latency.maxMs - recorded.latency.p50Ms;

/** The target, which loses its plain fork servers when a third of the calls are sent. */
function losing(target: Target, servicePid: number, calls: number): Target {
  let sent = 0;
  return {
    ...target,
    send(some, onAnswer) {
      if ((sent += 1) === Math.ceil(calls / 3)) {
        const servers = findProcesses(servicePid, PLAIN_SERVER);
        if (servers.length === 0) throw new Error("no fork server was found that could be killed");
        for (const pid of servers) process.kill(pid, "SIGKILL");
      }
      return target.send(some, onAnswer);
    },
  };
}

async function replace(session: Session, service: Service): Promise<Measure[]> {
  const target = nativeTarget(session, service, "single", 1);
  const calls = take(mixOf([TRIVIAL_PYTHON], session.random()), session.size(900, 300));
  const send = (name: string, to: Target) =>
    session.load(name, to, (options) => sendClosed({ ...options, calls, requests: 1 }));
  await send("warming up", target);
  const calm = await send("no fork server lost", target);
  const lost: LoadResult[] = [];
  for (let round = 0; round < session.size(3, 1); round += 1)
    lost.push(await send("a fork server lost", losing(target, service.pid, calls.length)));
  const worst = lost.toSorted((one, two) => excess(two) - excess(one))[0] as LoadResult;
  return [
    measured(
      {
        id: "replace.worst",
        label: "a fork server killed under load: the slowest call beyond the median",
        unit: "ms",
        better: "lower",
        target: REPLACED_MS_MAX,
      },
      Math.max(...lost.map(excess)),
    ),
    measured(
      { id: "replace.calm", label: "  the same when none is killed", unit: "ms", better: "lower" },
      excess(calm),
    ),
    completeness("replace.right", "  answered rightly", worst),
  ];
}

export const start: Suite = {
  name: "start",
  title: "Start, and the loss of a fork server",
  async run(session) {
    const starts: number[] = [];
    for (let round = 1; round < session.size(3, 1); round += 1) {
      const { seconds, service } = await startOnce(session);
      starts.push(seconds);
      await service.stop();
    }
    const { seconds, service } = await startOnce(session);
    starts.push(seconds);
    return {
      measures: [
        measured(
          {
            id: "first_call",
            label: "process start to the first answer, all scientific modules",
            unit: "s",
            better: "lower",
            target: START_S_MAX,
          },
          ...starts,
        ),
        ...(await replace(session, service)),
      ],
    };
  },
};
