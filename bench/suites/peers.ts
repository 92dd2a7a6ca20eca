/** Point 3: the same calls to the service and to others, one after the other, on the same machine. */
import { createMix, take, type Planned } from "../load/mixes.ts";
import { createCommandTarget } from "../peers/command.ts";
import { coldEnvironment, INTERPRETER } from "../reference/fork-loop.ts";
import { measured, notGiven, type LoadResult, type Measure } from "../results/schema.ts";
import type { Target } from "../targets/target.ts";
import { nativeTarget, saturate } from "./saturate.ts";
import { completeness, type Session, type Suite } from "./suite.ts";

interface Contest {
  readonly mix: string;
  readonly label: string;
  readonly calls: readonly [full: number, few: number];
  /** Times that the service is to be faster than code-judge. */
  readonly codeJudgeMin: number;
}

const CONTESTS: readonly Contest[] = [
  { mix: "full", label: "full mix", calls: [400, 32], codeJudgeMin: 2 },
  { mix: "light", label: "light mix", calls: [1000, 64], codeJudgeMin: 8 },
  { mix: "sympy", label: "small programs with sympy", calls: [400, 32], codeJudgeMin: 25 },
  { mix: "plain", label: "small plain programs", calls: [1000, 64], codeJudgeMin: 5 },
];

const CODE_JUDGE = "code-judge";
const PEERS = [CODE_JUDGE, "sandbox-fusion", "piston", "go-judge"] as const;

function ratioOf(ours: LoadResult, theirs: LoadResult): number {
  return ours.recorded.perSecond / theirs.recorded.perSecond;
}

function describe(contest: Contest, peer: string, name: string) {
  const isRequired = peer === CODE_JUDGE;
  return {
    id: `${contest.mix}.${peer}`,
    label: `${contest.label}: calls/s against ${name}`,
    unit: "x",
    better: "higher",
    ...(isRequired ? { target: contest.codeJudgeMin } : {}),
  } as const;
}

function rateOf(contest: Contest, peer: string, load: LoadResult): Measure {
  const { answered, wrong, planned } = load.recorded;
  const flaw = answered - wrong === planned ? {} : { note: `${answered - wrong} of ${planned} right` };
  return measured(
    {
      id: `${contest.mix}.${peer}.rate`,
      label: `  ${load.target}`,
      unit: "calls/s",
      better: "higher",
      ...flaw,
    },
    load.recorded.perSecond,
  );
}

async function compete(
  session: Session,
  contest: Contest,
  ours: Target,
  others: ReadonlyMap<string, Target>,
): Promise<Measure[]> {
  const calls: Planned[] = take(createMix(contest.mix, session.random()), session.size(...contest.calls));
  const before = await saturate(session, contest.label, ours, calls);
  const measures: Measure[] = [rateOf(contest, "rollcall", before)];
  for (const [peer, target] of others) {
    const theirs = await saturate(session, contest.label, target, calls);
    measures.push(
      measured(describe(contest, peer, target.name), ratioOf(before, theirs)),
      rateOf(contest, peer, theirs),
    );
  }
  for (const peer of PEERS)
    if (!others.has(peer)) measures.push(notGiven(describe(contest, peer, peer), `--${peer} URL`));
  return [
    ...measures,
    completeness(`${contest.mix}.right`, `  ${contest.label}: ours answered rightly`, before),
  ];
}

export const peers: Suite = {
  name: "peers",
  title: "The same calls to the service and to its peers",
  async run(session) {
    const service = await session.startService();
    const ours = nativeTarget(session, service, "ndjson");
    const others = new Map<string, Target>([
      ["floor", session.use(createCommandTarget({ command: [INTERPRETER], env: coldEnvironment() }))],
    ]);
    for (const [name, make] of session.peers) others.set(name, session.use(make()));
    await saturate(
      session,
      "warming up",
      ours,
      take(createMix("light", session.random()), session.size(300, 64)),
    );
    const measures: Measure[] = [];
    for (const contest of CONTESTS) measures.push(...(await compete(session, contest, ours, others)));
    return { measures };
  },
};
