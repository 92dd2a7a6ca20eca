/**
 * Questions and answers between two processes of the service, over one stream. Either side asks; an answer may come in
 * parts, and a question may be given up.
 *
 * What is sent in one turn of the event loop is written at once. Short messages are JSON, many in a frame; one that
 * holds long texts is a frame by itself, as V8 serialises it: that costs three times as much as JSON for a short call
 * and a tenth for a megabyte (docs/performance.md). All that is sent is JSON-able by contract.
 *
 * Invariant: each question gets one answer or one error, also when the stream ends before the other side gave it.
 */
import type { Duplex } from "node:stream";
import { deserialize, serialize } from "node:v8";
import { SandboxError, type SandboxErrorOptions, type ErrorBody } from "../contract/errors.ts";
import { FrameReader, frameHeader, frameText } from "../lib/framing.ts";

/** What one side may ask the other: by its name what goes with it, what is answered, and what comes before that in parts. */
export type Questions<Names extends string = string> = Readonly<
  Record<Names, { readonly asks: unknown; readonly answers: unknown; readonly parts?: unknown }>
>;

/** What a side that is asked knows about the question. */
export interface Asked<Part = unknown> {
  /** Aborts when the question was given up or the other side is gone. */
  readonly signal: AbortSignal;
  /** Sends a part of the answer ahead of the whole. */
  part(value: Part, isLong?: boolean): void;
  /** Says that the answer holds long texts, before it is given. */
  isLong(): void;
}

export type Answers<Q> = {
  readonly [Name in keyof Q]: Q[Name] extends { readonly asks: infer A; readonly answers: infer R }
    ? (asks: A, asked: Asked<Q[Name] extends { readonly parts: infer P } ? P : never>) => R | Promise<R>
    : never;
};

export interface AskOptions<Part> {
  /** What goes with the question holds long texts. */
  readonly isLong?: boolean;
  /** Gives the question up; the answer still comes. */
  readonly signal?: AbortSignal;
  readonly onPart?: (part: Part) => void;
}

interface Wire {
  /** Number of the question; questions of the two sides are numbered apart. */
  readonly n: number;
  readonly ask?: string;
  readonly body?: unknown;
  readonly cancel?: true;
  readonly part?: unknown;
  readonly answer?: unknown;
  readonly error?: ErrorBody["error"];
}

interface Open {
  readonly onPart: ((part: unknown) => void) | undefined;
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** Texts from here on, in UTF-16 units, are long: see above. */
export const LONG_TEXT = 2048;
/** A frame takes no more messages when it is this long, in UTF-16 units, so that its reader is not held up. */
const FRAME_LENGTH_MAX = 256 << 10;
/** First byte of a frame of JSON; V8's begin with 0xff. */
const JSON_BEGIN = 0x5b;
/** The other side is the service itself: what it sends is as long as a string can be at most. */
const FRAME_BYTES_MAX = 0xffff_ffff;

class Question implements Asked {
  readonly #send: (part: unknown, isLong: boolean) => void;
  #abort: AbortController | null = null;
  #givenUp = false;
  hasLongAnswer = false;

  constructor(send: (part: unknown, isLong: boolean) => void) {
    this.#send = send;
  }

  /** Made when it is asked for: most questions are not. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#givenUp) this.#abort.abort();
    return this.#abort.signal;
  }

  part(value: unknown, isLong = false): void {
    this.#send(value, isLong);
  }

  isLong(): void {
    this.hasLongAnswer = true;
  }

  giveUp(): void {
    this.#givenUp = true;
    this.#abort?.abort();
  }
}

export interface ChannelOptions<Ours> {
  readonly stream: Duplex;
  /** What this side answers. */
  readonly answers: Answers<Ours>;
  /** Told of what was thrown and is no SandboxError; the other side gets `internal`. */
  readonly onBug: (error: unknown, question: string) => void;
  /** The other side is gone. Called once. */
  readonly onEnd: () => void;
}

export class Channel<Theirs extends Questions, Ours extends Questions> {
  readonly #options: ChannelOptions<Ours>;
  readonly #reader = new FrameReader(FRAME_BYTES_MAX);
  readonly #asked = new Map<number, Question>();
  readonly #open = new Map<number, Open>();
  #next = 0;
  /** Messages of the frame that is being put together. */
  #texts: string[] = [];
  #textsLength = 0;
  /** Frames, or their parts, that wait for the end of this turn. */
  #frames: Buffer[] = [];
  #framesBytes = 0;
  #isScheduled = false;
  #ended = false;

  constructor(options: ChannelOptions<Ours>) {
    this.#options = options;
    const { stream } = options;
    stream.on("data", (chunk: Buffer) => this.#receive(chunk));
    // An error is followed by the close.
    stream.on("error", () => undefined);
    stream.once("end", () => this.#end());
    stream.once("close", () => this.#end());
  }

  /** Bytes, or nearly, that were sent and wait for the other side to read. */
  get waitingBytes(): number {
    return this.#textsLength + this.#framesBytes + this.#options.stream.writableLength;
  }

  /**
   * @throws SandboxError that the other side threw; `unreachable` when it is gone; RangeError for what is longer than a
   *   string can be.
   */
  ask<Name extends keyof Theirs & string>(
    name: Name,
    body: Theirs[Name]["asks"],
    { signal, onPart, isLong }: AskOptions<NonNullable<Theirs[Name]["parts"]>> = {},
  ): Promise<Theirs[Name]["answers"]> {
    const n = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(gone());
        return;
      }
      this.#send({ n, ask: name, body }, isLong);
      const giveUp = (): void => this.#send({ n, cancel: true });
      const settled = (): void => {
        this.#open.delete(n);
        signal?.removeEventListener("abort", giveUp);
      };
      this.#open.set(n, {
        onPart: onPart as Open["onPart"],
        resolve(answer) {
          settled();
          resolve(answer);
        },
        reject(error) {
          settled();
          reject(error);
        },
      });
      if (signal?.aborted === true) giveUp();
      else signal?.addEventListener("abort", giveUp, { once: true });
    });
  }

  /** Sends what is to be sent and ends the stream. */
  close(): void {
    this.#flush();
    this.#options.stream.end();
  }

  #receive(chunk: Buffer): void {
    for (const frame of this.#reader.push(chunk)) {
      if (frame[0] !== JSON_BEGIN) this.#take(deserialize(frame) as Wire);
      else for (const message of JSON.parse(frame.toString("utf8")) as Wire[]) this.#take(message);
    }
  }

  #take(message: Wire): void {
    const { n } = message;
    if (message.ask !== undefined) {
      void this.#answer(n, message.ask, message.body);
      return;
    }
    if (message.cancel === true) {
      this.#asked.get(n)?.giveUp();
      return;
    }
    const open = this.#open.get(n);
    if (message.part !== undefined) open?.onPart?.(message.part);
    else if (message.error === undefined) open?.resolve(message.answer);
    else open?.reject(errorFrom(message.error));
  }

  async #answer(n: number, name: string, body: unknown): Promise<void> {
    const question = new Question((part, isLong) => this.#send({ n, part }, isLong));
    this.#asked.set(n, question);
    try {
      const answer = this.#options.answers[name] as (body: unknown, asked: Asked) => unknown;
      this.#send({ n, answer: await answer(body, question) }, question.hasLongAnswer);
    } catch (error) {
      if (!(error instanceof SandboxError)) this.#options.onBug(error, name);
      const told =
        error instanceof SandboxError
          ? error
          : new SandboxError("internal", "a bug in the service; its log has more");
      this.#send({ n, error: told.toJSON().error });
    } finally {
      this.#asked.delete(n);
    }
  }

  /** @throws RangeError for what is longer than a string can be. */
  #send(message: Wire, isLong = false): void {
    if (this.#ended) return;
    if (isLong) {
      const body = serialize(message);
      this.#seal();
      this.#frames.push(frameHeader(body.length), body);
      this.#framesBytes += body.length;
    } else {
      const text = JSON.stringify(message);
      if (this.#textsLength + text.length > FRAME_LENGTH_MAX) this.#seal();
      this.#texts.push(text);
      this.#textsLength += text.length;
    }
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#flush());
  }

  /** Makes a frame of the messages so far. */
  #seal(): void {
    if (this.#texts.length === 0) return;
    const frame = frameText(`[${this.#texts.join(",")}]`);
    this.#frames.push(frame);
    this.#framesBytes += frame.length;
    this.#texts = [];
    this.#textsLength = 0;
  }

  #flush(): void {
    this.#isScheduled = false;
    if (this.#ended) return;
    this.#seal();
    const { stream } = this.#options;
    stream.cork();
    for (const bytes of this.#frames) stream.write(bytes);
    stream.uncork();
    this.#frames = [];
    this.#framesBytes = 0;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const question of this.#asked.values()) question.giveUp();
    for (const open of this.#open.values()) open.reject(gone());
    this.#options.stream.destroy();
    this.#options.onEnd();
  }
}

function gone(): SandboxError {
  return new SandboxError("unreachable", "the other process of the service is gone");
}

function errorFrom({ code, message, path, retry_after_ms }: ErrorBody["error"]): SandboxError {
  const options: SandboxErrorOptions = {
    ...(path === undefined ? {} : { path }),
    ...(retry_after_ms === undefined ? {} : { retryAfterMs: retry_after_ms }),
  };
  return new SandboxError(code, message, options);
}
