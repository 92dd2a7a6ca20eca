/**
 * Reads and parses a JSON body. Differs from Fastify's own reader in three things: the bytes of all bodies
 * in flight have one common bound, bytes that are not UTF-8 are refused where they would silently become
 * U+FFFD in somebody's program, and the error says what is wrong with the JSON.
 */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { SandboxError } from "../contract/errors.ts";
import type { Intake } from "./intake.ts";
import type { Traffic } from "./traffic.ts";

const RETRY_AFTER_MS = 1000;

function parse(bytes: Buffer): unknown {
  if (bytes.length === 0)
    throw new SandboxError("invalid_json", "the body is empty; it must be a JSON object");
  if (!isUtf8(bytes)) throw new SandboxError("invalid_json", "the body is not UTF-8");
  try {
    return JSON.parse(bytes.toString("utf8")) as unknown;
  } catch (error) {
    throw new SandboxError(
      "invalid_json",
      `the body is not JSON: ${(error as Error).message.slice(0, 200)}`,
      { cause: error },
    );
  }
}

export interface BodyBounds {
  readonly bodyBytesMax: number;
  /** Bytes of all bodies that are being received. */
  readonly bodiesBytesMax: number;
}

type Done = (error: Error | null, body?: unknown) => void;

/** A Fastify content-type parser. */
export function createBodyParser(bounds: BodyBounds, traffic: Traffic, intake: Intake) {
  const { bodyBytesMax, bodiesBytesMax } = bounds;
  const tooLarge = (): SandboxError =>
    new SandboxError("body_too_large", `the body is longer than ${bodyBytesMax} bytes`);

  return (_request: unknown, payload: IncomingMessage, done: Done): void => {
    const chunks: Buffer[] = [];
    let received = 0;
    const stop = (): void => {
      payload.off("data", onData).off("end", onEnd).off("error", onBroken).off("close", onBroken);
    };
    const fail = (error: Error): void => {
      stop();
      traffic.bodyBytes -= received;
      payload.resume();
      done(error);
    };
    const carryOn = (): void => {
      traffic.bodyBytes -= received;
      let body: unknown;
      try {
        body = parse(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, received));
      } catch (failure) {
        done(failure as Error);
        return;
      }
      done(null, body);
    };
    const onData = (chunk: Buffer): void => {
      received += chunk.length;
      traffic.bodyBytes += chunk.length;
      if (received > bodyBytesMax) fail(tooLarge());
      else if (traffic.bodyBytes > bodiesBytesMax) {
        fail(
          new SandboxError(
            "queue_full",
            `the service is already receiving ${bodiesBytesMax} bytes of requests`,
            { retryAfterMs: RETRY_AFTER_MS },
          ),
        );
      } else chunks.push(chunk);
    };
    const onEnd = (): void => {
      stop();
      intake.take(carryOn);
    };
    const onBroken = (): void =>
      fail(new SandboxError("invalid_http", "the body broke off before its announced end"));

    const encoding = payload.headers["content-encoding"];
    if (encoding !== undefined && encoding !== "identity") {
      payload.resume();
      done(
        new SandboxError(
          "unsupported_media_type",
          `a body with content-encoding ${encoding} is not read; send it as it is`,
        ),
      );
      return;
    }
    if (Number(payload.headers["content-length"]) > bodyBytesMax) {
      payload.resume();
      done(tooLarge());
      return;
    }
    payload.on("data", onData).on("end", onEnd).on("error", onBroken).on("close", onBroken);
  };
}
