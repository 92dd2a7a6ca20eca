/**
 * Requests and their answers, whatever is asked for: one JSON document, or the items of a batch line by line.
 *
 * Invariant: a stream yields each item of its batch once, or throws; what a caller gave up has an item made here.
 */
import { SandboxError } from "../contract/errors.ts";
import { errorFrom } from "./answers.ts";
import { readLines } from "./lines.ts";
import { readJson } from "./read-json.ts";
import { withRetries, type RetryPolicy } from "./retry.ts";
import { brokenOff, type Ask, type Transport } from "./transport.ts";

const NDJSON = "application/x-ndjson";
const JSON_TYPE = "application/json";

interface Line {
  readonly index?: number;
  readonly result?: unknown;
  readonly verdict?: unknown;
  readonly done?: boolean;
  readonly error?: unknown;
}

/** What is read of a stream, by its lines: items with their place. */
interface Reading<T> {
  readonly count: number;
  readonly body: AsyncIterable<Uint8Array>;
  readonly answerBytesMax: number;
  readonly signal: AbortSignal | undefined;
  /** @throws SandboxError when a line is none of these items. */
  readonly itemFrom: (line: Line, index: number) => T;
  /** What stands for an item that did not come because the caller gave up. */
  readonly givenUp: (index: number) => T;
}

/** Items of a stream; what is missing when the caller gave up is made up, when the stream broke it is an error. */
async function* readBatch<T>({
  count,
  body,
  answerBytesMax,
  signal,
  itemFrom,
  givenUp,
}: Reading<T>): AsyncGenerator<T> {
  const open = new Set(Array.from({ length: count }, (_, index) => index));
  try {
    let complete = false;
    for await (const text of readLines(body, answerBytesMax)) {
      const line = JSON.parse(text) as Line;
      if (line.error !== undefined)
        throw (
          errorFrom(line) ??
          new SandboxError("unreachable", "the stream broke with an error that is not known here")
        );
      if (line.done === true) {
        complete = true;
        continue;
      }
      if (line.index === undefined || !open.delete(line.index))
        throw new SandboxError(
          "unreachable",
          `the stream has a result for no open call: ${String(line.index)}`,
        );
      yield itemFrom(line, line.index);
    }
    if (!complete || open.size > 0)
      throw new SandboxError(
        "unreachable",
        `the stream was cut with ${open.size} of ${count} results missing`,
      );
  } catch (error) {
    if (!signal?.aborted) throw brokenOff(error);
    for (const index of open) yield givenUp(index);
  }
}

async function* allGivenUp<T>(count: number, givenUp: (index: number) => T): AsyncGenerator<T> {
  for (let index = 0; index < count; index += 1) yield givenUp(index);
}

export interface Poster {
  /** The JSON document at a path. */
  get(path: string): Promise<unknown>;
  /** One item for one. */
  one<T>(
    path: string,
    body: object,
    signal: AbortSignal | undefined,
    read: (answer: unknown) => T,
    givenUp: () => T,
  ): Promise<T>;
  /** Items as they come for many. */
  many<T>(
    path: string,
    body: object,
    reading: Omit<Reading<T>, "body" | "answerBytesMax">,
  ): Promise<AsyncIterable<T>>;
}

/** @param options.answerBytesMax longest document, and longest line of a stream. Bytes. */
export function createPoster(
  transport: Transport,
  { retry, answerBytesMax }: { readonly retry: RetryPolicy; readonly answerBytesMax: number },
): Poster {
  const ask = (request: Ask) => withRetries(() => transport.ask(request), retry, request.signal);

  const one = async <T>(
    path: string,
    body: object,
    signal: AbortSignal | undefined,
    read: (answer: unknown) => T,
    givenUp: () => T,
  ): Promise<T> => {
    try {
      signal?.throwIfAborted();
      const text = JSON.stringify(body);
      const answer = await ask({ method: "POST", path, accept: JSON_TYPE, body: text, signal });
      return read(await readJson(answer, answerBytesMax));
    } catch (error) {
      if (signal?.aborted) return givenUp();
      throw error;
    }
  };

  const many = async <T>(
    path: string,
    body: object,
    reading: Omit<Reading<T>, "body" | "answerBytesMax">,
  ): Promise<AsyncIterable<T>> => {
    const { signal, count, givenUp } = reading;
    try {
      signal?.throwIfAborted();
      const text = JSON.stringify(body);
      const lines = await ask({ method: "POST", path, accept: NDJSON, body: text, signal });
      return readBatch({ ...reading, body: lines, answerBytesMax });
    } catch (error) {
      if (signal?.aborted) return allGivenUp(count, givenUp);
      throw error;
    }
  };

  const get = async (path: string): Promise<unknown> =>
    readJson(await ask({ method: "GET", path, accept: JSON_TYPE }), answerBytesMax);

  return { get, one, many };
}
