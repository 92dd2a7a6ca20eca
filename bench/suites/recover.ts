/**
 * How long a fault costs: parts of the service are killed one kind after the other, and at that moment calls are sent that
 * every slot must carry out for every interpreter. When the last has its right answer the pool is back at full size.
 */
import { createClient, type Client } from "../../src/client/index.ts";
import type { Call } from "../../src/contract/call.ts";
import { childrenOf, findProcesses } from "../machine/cpu.ts";
import { countSlots } from "../machine/prometheus.ts";
import type { Service } from "../machine/service.ts";
import { measured, type Measure } from "../results/schema.ts";
import type { Session, Suite } from "./suite.ts";

const WHOLE_MS_MAX = 2000;
/** Long enough for each slot to have to take a call. */
const SLEEP_S = 0.05;
const POLL_MS = 10;

const PYTHON_HEAPS = ["time", "subprocess", "numpy", "sympy", "math_verify", "pandas"];

/** One call for each slot and interpreter; `probe` is what the answer must hold. */
function probes(slots: number, probe: string): Call[] {
  const python = PYTHON_HEAPS.map((name): Call => ({
    runtime: "python",
    source: `import time, ${name}\ntime.sleep(${SLEEP_S})\nprint("${probe}")`,
  }));
  const script = (["node", "javascript"] as const).map((runtime): Call => ({
    runtime,
    source: `setTimeout(() => console.log("${probe}"), ${SLEEP_S * 1000})`,
  }));
  return Array.from({ length: slots }, () => [...python, ...script]).flat();
}

interface Subject {
  readonly service: Service;
  readonly client: Client;
  /** Of each engine; both have as many. */
  readonly slots: number;
}

async function slotsOf({ url }: Service): Promise<ReturnType<typeof countSlots>> {
  return countSlots(await (await fetch(`${url}/metrics`)).text());
}

/** Sends the probes and waits for their answers and for idle slots. @returns milliseconds. */
async function untilWhole({ service, client, slots }: Subject, round: string): Promise<number> {
  const startedMs = performance.now();
  await Promise.all(
    probes(slots, round).map(async (call) => {
      const { outcome, stdout, detail, stderr } = await client.execute(call);
      if (outcome !== "completed" || stdout !== `${round}\n`)
        throw new Error(`${round}: ${outcome}, ${stdout}: ${detail ?? stderr}`);
    }),
  );
  for (let { all, idle } = await slotsOf(service); idle < all; { all, idle } = await slotsOf(service))
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  return performance.now() - startedMs;
}

const forkServers = ({ service: { pid } }: Subject): number[] => [
  ...findProcesses(pid, "fork_server.py"),
  ...findProcesses(pid, "fork-server.js"),
];
const hosts = ({ service: { pid } }: Subject): number[] => findProcesses(pid, "isolate/host");

interface Fault {
  readonly id: string;
  readonly label: string;
  /** Not judged: more than one part is lost, with all that stands in for it. */
  readonly isTold?: boolean;
  /** The processes to kill, each group in a round of its own. */
  groups(subject: Subject): number[][];
}

const alone = (pids: readonly number[]): number[][] => pids.map((pid) => [pid]);

const FAULTS: readonly Fault[] = [
  { id: "none", label: "nothing is killed", groups: () => [[], []] },
  {
    id: "slot",
    label: "one slot process",
    groups: (subject) => forkServers(subject).map((pid) => childrenOf(pid).slice(0, 1)),
  },
  {
    id: "slots",
    label: "all slot processes",
    groups: (subject) => [forkServers(subject).flatMap(childrenOf)],
  },
  { id: "fork_server", label: "one fork server", groups: (subject) => alone(forkServers(subject)) },
  {
    id: "fork_servers",
    label: "all fork servers at once",
    isTold: true,
    groups: (subject) => [forkServers(subject)],
  },
  { id: "host", label: "one JavaScript host", groups: (subject) => alone(hosts(subject)) },
  { id: "hosts", label: "all JavaScript hosts, the spare too", groups: (subject) => [hosts(subject)] },
  {
    id: "runtime",
    label: "the OCI runtime of one container",
    groups: ({ service: { pid } }) => alone(findProcesses(pid, "\0run\0--bundle\0")),
  },
];

/** False when it had ended: what was made anew since is another. */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

async function measureFault(session: Session, subject: Subject, fault: Fault): Promise<Measure> {
  const rounds: number[] = [];
  for (const [index, pids] of fault.groups(subject).slice(0, session.size(20, 2)).entries()) {
    // Each has another to stand in for it.
    await subject.service.settled();
    const killed = pids.filter(kill);
    if (killed.length === 0 && pids.length > 0) continue;
    rounds.push(await untilWhole(subject, `${fault.id}-${index}`));
  }
  const longest = Math.max(...rounds);
  session.say(`${fault.label}: ${Math.round(longest)} ms, the longest of ${rounds.length}`);
  const label = `killed: ${fault.label}; until every slot has answered from every interpreter, the longest`;
  return measured(
    {
      id: `whole.${fault.id}`,
      label,
      unit: "ms",
      better: "lower",
      ...(fault.isTold === true ? {} : { target: WHOLE_MS_MAX }),
      note: `${rounds.length} rounds`,
    },
    longest,
  );
}

export const recover: Suite = {
  name: "recover",
  title: "From a fault to a pool of full size",
  async run(session) {
    const service = await session.startService();
    const client = createClient({ baseUrl: service.url, connections: 64 });
    try {
      const slots = (await slotsOf(service)).all / 2;
      const subject = { service, client, slots };
      await service.settled();
      for (const round of ["warm-up", "warm again"]) await untilWhole(subject, round);
      const measures: Measure[] = [];
      for (const fault of FAULTS) measures.push(await measureFault(session, subject, fault));
      return { measures };
    } finally {
      await client.close();
    }
  },
};
