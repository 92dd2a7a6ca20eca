/** What was asked of the service and what came back. */

/** Of what went wrong, how much is kept to be shown. */
const FINDINGS_MAX = 50;

/** How calls reach the service. */
export const DOORS = ["calls", "sessions", "verify", "code-judge"] as const;
export type Door = (typeof DOORS)[number];

export interface Tally {
  /** Calls by every door, with those in sessions and each verification and submission. */
  sent: number;
  answered: number;
  /** Calls that got no Result. */
  lost: number;
  wrong: number;
  hostile: number;
  readonly doors: Record<Door, number>;
  readonly outcomes: Record<string, number>;
  readonly findings: string[];
}

export function newTally(): Tally {
  return {
    sent: 0,
    answered: 0,
    lost: 0,
    wrong: 0,
    hostile: 0,
    doors: { calls: 0, sessions: 0, verify: 0, "code-judge": 0 },
    outcomes: {},
    findings: [],
  };
}

function note(tally: Tally, text: string): void {
  if (tally.findings.length < FINDINGS_MAX) tally.findings.push(text);
}

export interface Question<Answer> {
  readonly name: string;
  readonly door: Door;
  readonly hostile?: boolean;
  /** Calls that are answered together. Default: one. */
  readonly calls?: number;
  ask(): Promise<Answer>;
  /** One word for the statistics. */
  outcomeOf(answer: Answer): string;
  /** What is wrong with the answer, in one sentence, or null. */
  check(answer: Answer): string | null;
}

/** Asks once. Never rejects: the answer, or null when there was none. */
export async function askOnce<Answer>(tally: Tally, question: Question<Answer>): Promise<Answer | null> {
  const { name, door, hostile = false, calls = 1 } = question;
  tally.sent += calls;
  tally.doors[door] += calls;
  if (hostile) tally.hostile += calls;
  try {
    const answer = await question.ask();
    tally.answered += calls;
    const outcome = question.outcomeOf(answer);
    tally.outcomes[outcome] = (tally.outcomes[outcome] ?? 0) + calls;
    const why = question.check(answer);
    if (why !== null) {
      tally.wrong++;
      note(tally, `${name}: ${why}`);
    }
    return answer;
  } catch (error) {
    tally.lost += calls;
    note(tally, `${name}: no answer: ${String(error)}`);
    return null;
  }
}

/** For what is no call: opening, forking and closing sessions. */
export async function mustSucceed<T>(tally: Tally, name: string, step: () => Promise<T>): Promise<T | null> {
  try {
    return await step();
  } catch (error) {
    tally.wrong++;
    note(tally, `${name}: ${String(error)}`);
    return null;
  }
}
