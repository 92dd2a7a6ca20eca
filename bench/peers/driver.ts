/** What the drivers of peers share: JSON over kept-alive connections, one program a request or many. */
import { Agent, request } from "undici";
import type { Program } from "../../workload/mix.ts";
import { ENDLESS_WALL_MS } from "../load/mixes.ts";
import type { Answer, Target } from "../targets/target.ts";

const ANSWER_TIMEOUT_MS = 60 * 60_000;
const BATCH_MAX = 10_000;
/** What servers commonly give a program that asks for no limit. */
const WALL_MS = 10_000;

export interface PeerOptions {
  readonly url: string;
  /** Connections open at once. */
  readonly connections: number;
  /** Process whose tree does the work, for CPU figures. */
  readonly pid: number | null;
  /** Default: the peer's own name. */
  readonly name?: string;
  /** Bearer key, where the server asks for one. */
  readonly key?: string;
  /** Characters of output after which the server cuts, where it is not configured as the original is by default. */
  readonly charactersMax?: number;
  /** Base URL with a /metrics of ours. Default: none. */
  readonly metricsUrl?: string;
}

/** The wall limit that a request states: short for programs that never end only, so that load makes no other fail. Milliseconds. */
export function wallMsOf({ expect }: Program): number {
  return expect.outcome === "wall_limit" ? ENDLESS_WALL_MS : WALL_MS;
}

/** @throws Error when the answer is not a 200 with JSON. */
export type Post = (path: string, body: unknown) => Promise<unknown>;

interface Driver {
  readonly name: string;
  readonly runs: (program: Program) => boolean;
  /** Headers that the protocol asks for beside those of JSON. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends JSON to a server and gives its answer. */
export function createPoster({ url, connections, key }: PeerOptions, more: Driver["headers"] = {}) {
  const base = url.replace(/\/+$/, "");
  const agent = new Agent({
    connections,
    pipelining: 1,
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
  });
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const headers = { "content-type": "application/json", ...authorization, ...more };
  const post: Post = async (path, body) => {
    const answer = await request(base + path, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      dispatcher: agent,
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`http ${answer.statusCode}: ${text.slice(0, 120)}`);
    return JSON.parse(text) as unknown;
  };
  return { post, close: () => agent.close() };
}

function targetOf(options: PeerOptions, driver: Driver, batchMax: number, send: Target["send"]) {
  const { pid, metricsUrl = null, name = driver.name } = options;
  return { name, batchMax, pid, metricsUrl, runs: driver.runs, send };
}

/** A peer that takes one program a request. */
export function singleTarget(
  options: PeerOptions,
  driver: Driver & { readonly ask: (program: Program, post: Post) => Promise<Answer> },
): Target {
  const { post, close } = createPoster(options, driver.headers);
  const send: Target["send"] = async (calls, onAnswer) => {
    await Promise.all(
      calls.map(async ({ program }, index) => onAnswer(index, await driver.ask(program, post))),
    );
  };
  return { ...targetOf(options, driver, 1, send), close };
}

/** A peer that takes many programs a request and answers them in their order. */
export function batchTarget(
  options: PeerOptions,
  driver: Driver & { readonly ask: (programs: readonly Program[], post: Post) => Promise<readonly Answer[]> },
): Target {
  const { post, close } = createPoster(options, driver.headers);
  const send: Target["send"] = async (calls, onAnswer) => {
    const programs = calls.map(({ program }) => program);
    const answers = await driver.ask(programs, post);
    if (answers.length !== calls.length)
      throw new Error(`${answers.length} answers for ${calls.length} programs`);
    for (const [index, answer] of answers.entries()) onAnswer(index, answer);
  };
  return { ...targetOf(options, driver, BATCH_MAX, send), close };
}
