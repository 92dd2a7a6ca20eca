/** The small interface behind which everything that answers calls looks the same to a load. */
import type { Program } from "../../workload/mix.ts";
import type { Planned } from "../load/mixes.ts";

export interface Answer {
  /** The target's own word for how the call ended, in our vocabulary where it has one. */
  readonly outcome: string;
  /** What is wrong with the answer, in one sentence; null when it is right. */
  readonly complaint: string | null;
  /** CPU time of the program, where the target tells it. Milliseconds. */
  readonly cpuMs?: number;
}

/** Told of each answer as it comes in, with the call's place among those that were sent. */
export type OnAnswer = (index: number, answer: Answer) => void;

export interface Target {
  readonly name: string;
  /** Calls that one request carries at most. */
  readonly batchMax: number;
  /** Process whose tree does the work, when it runs on this machine and is known. */
  readonly pid: number | null;
  /** Base URL with a /metrics of ours, when it has one. */
  readonly metricsUrl: string | null;
  readonly runs: (program: Program) => boolean;
  /**
   * Sends the calls in one request and resolves when all are answered.
   * @throws when the request, or what is left of it, was not answered.
   */
  send(calls: readonly Planned[], onAnswer: OnAnswer): Promise<void>;
  close(): Promise<void>;
}

/** What a peer's answer tells, in the words that all of them share. */
export interface PlainAnswer {
  /** `answered`: it does not tell how a program ended that met no limit. */
  readonly end: "completed" | "failed" | "wall_limit" | "answered" | "other";
  /** Null where it is not shown. */
  readonly stdout: string | null;
  readonly stderr: string;
  /** Set when the value of a last expression, or stderr, may follow in the text of stdout. */
  readonly isMixed?: boolean;
}

/** Outcomes of ours that a peer calls by one word. */
const END_OF_OUTCOME: Readonly<Record<string, PlainAnswer["end"]>> = {
  completed: "completed",
  failed: "failed",
  wall_limit: "wall_limit",
};

function isEnd(told: PlainAnswer["end"], wanted: PlainAnswer["end"]): boolean {
  return told === wanted || (told === "answered" && (wanted === "completed" || wanted === "failed"));
}

/** The first `count` characters, as Python counts them. */
function firstCharacters(text: string, count: number): string {
  return text.length <= count ? text : Array.from(text).slice(0, count).join("");
}

/**
 * Holds a peer's answer against what the program must give, as far as that peer tells it: a cut output is
 * compared as far as it goes.
 * @param charactersMax characters of output after which the peer cuts; Infinity when it does not.
 */
export function checkPlain(program: Program, answer: PlainAnswer, charactersMax: number): string | null {
  const { stdout: wanted, stdout_bytes: bytes, outcome } = program.expect;
  const { stdout: told, isMixed = false } = answer;
  const end = END_OF_OUTCOME[outcome] ?? "other";
  if (!isEnd(answer.end, end)) return `ended as ${answer.end}, not ${end}`;
  if (told === null) return null;
  if (wanted !== undefined && end !== "wall_limit") {
    const isRight = isMixed
      ? told.startsWith(wanted.trimEnd())
      : told === firstCharacters(wanted, charactersMax);
    if (!isRight) return "stdout is not what it must be";
  }
  const isWhole = !isMixed && told.length < charactersMax;
  if (bytes !== undefined && isWhole && Buffer.byteLength(told) !== bytes) return "stdout has another length";
  return null;
}

export function plainAnswer(program: Program, answer: PlainAnswer, charactersMax = Infinity): Answer {
  return { outcome: answer.end, complaint: checkPlain(program, answer, charactersMax) };
}

export const runsPython = (program: Program): boolean => program.runtime === "python";

/** False for a source whose indentation is taken for that of the whole by who finds it in a text. */
export const isFlush = ({ source }: Program): boolean => !/^\s/.test(source);
