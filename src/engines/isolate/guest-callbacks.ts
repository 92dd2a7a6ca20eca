/**
 * The functions of the host that the isolate holds, in closures no program reaches. They take and return
 * primitives only, bound the work they do, and never throw: an error of theirs would carry our stack inside.
 */
import { createHash, createHmac, getHashes, randomBytes } from "node:crypto";
import { domainToASCII, domainToUnicode, pathToFileURL, format } from "node:url";

export interface CallEnd {
  readonly kind: "exit" | "output";
  readonly exitCode: number;
  readonly report: string;
}

/** What one run does with what the isolate says. */
export interface GuestListener {
  end(end: CallEnd): void;
  file(path: string, kind: string, content: string): void;
  /** Used and allocated heap and bytes outside it. */
  memory(): readonly [heapTotal: number, heapUsed: number, external: number];
}

const RANDOM_BYTES_MAX = 65_536;
const SETTABLE = new Set([
  "protocol",
  "host",
  "hostname",
  "port",
  "username",
  "password",
  "pathname",
  "search",
  "hash",
  "href",
]);
const HASHES = new Set(getHashes().map((name) => name.toLowerCase()));

function askUrl(operation: string, input: string, other: string | undefined): string | undefined {
  switch (operation) {
    case "parse":
      return new URL(input, other).href;
    case "origin":
      return new URL(input).origin;
    case "domainToASCII":
      return domainToASCII(input);
    case "domainToUnicode":
      return domainToUnicode(input);
    case "pathToFileURL":
      return pathToFileURL(input).href;
    case "format": {
      const [fragment, unicode, search, auth] = Array.from(other ?? "", (digit) => digit === "1");
      return format(new URL(input), {
        fragment: fragment === true,
        unicode: unicode === true,
        search: search === true,
        auth: auth === true,
      });
    }
    default: {
      if (!SETTABLE.has(operation)) return undefined;
      const url = new URL(input);
      Reflect.set(url, operation, other ?? "");
      return url.href;
    }
  }
}

/** Undefined where `answer` throws. */
function safely<T>(answer: () => T): T | undefined {
  try {
    return answer();
  } catch {
    return undefined;
  }
}

/**
 * The one function that the isolate holds: of the name by which pieces of the prelude know what they ask, and of its
 * arguments. `loadLibrary` adds the rest of the library to the isolate that asks.
 */
export function guestCallback(
  listener: () => GuestListener | undefined,
  loadLibrary: () => void,
): (name: string, ...args: unknown[]) => unknown {
  const callbacks: Record<string, (...args: never[]) => unknown> = {
    end: (kind: string, exitCode: number, report: string) => {
      listener()?.end({ kind: kind === "output" ? "output" : "exit", exitCode, report });
    },
    file: (path: string, kind: string, content: string) => {
      listener()?.file(path, kind, content);
    },
    memory: () => safely(() => (listener()?.memory() ?? [0, 0, 0]).join(",")) ?? "0,0,0",
    random: (bytes: number) =>
      safely(() => randomBytes(Math.min(bytes, RANDOM_BYTES_MAX)).toString("latin1")) ?? "",
    hash: (algorithm: string, data: string, key?: string) =>
      safely(() => {
        const name = algorithm.toLowerCase();
        if (!HASHES.has(name)) return undefined;
        const digest = key === undefined ? createHash(name) : createHmac(name, Buffer.from(key, "latin1"));
        return digest.update(data, "latin1").digest().toString("latin1");
      }),
    url: (operation: string, input: string, other?: string) => safely(() => askUrl(operation, input, other)),
    library: () => safely(loadLibrary),
  };
  return (name, ...args) => callbacks[name]?.(...(args as never[]));
}
