/** The command line of `rollcall bench`. */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { WIRE_NAMES, type WireName } from "../src/contract/wire.ts";
import type { Transfer } from "./targets/native.ts";

export const HELP = `Usage: rollcall bench [mode] [flags]

Modes
  --suite NAME[,NAME]   overhead trivial peers latency burst start cores: the seven points; all: these seven
                        sweep: how cost grows; step: rollouts with turns;
                        verify: 16,000 verifications at once; micro: single functions
                        doors: the same calls through every drop-in API
  --load                one load, put together from the flags below
  --compare A B         two result files, with noise bands
  --report FILE         the HTML report of a result file

For all
  --quick               few calls, one round: shows that everything runs
  --out DIR             where results go (default: .rollcall/bench)
  --seed N              other draws from the mixes
  --service FLAGS       flags of the services that suites start, e.g. "--python.slots 8"

Peers, for the suites peers and doors and for --target; they fetch and start nothing
  --code-judge URL   --sandbox-fusion URL   --piston URL   --go-judge URL
  --peer-pid NAME=PID   process whose tree does a peer's work, for its CPU time; may be repeated

Load
  --target NAME         rollcall (default), embedded, command, or a peer
  --api NAME            native (default), or a drop-in API of ours:
                        ${[WIRE_NAMES.slice(0, 5), WIRE_NAMES.slice(5)].map((names) => names.join(" ")).join("\n                        ")}
  --url URL             a service that runs, or one of its drop-in APIs; without it one is started
  --key KEY             bearer key for it
  --pid PID             process of the service at --url, for CPU and memory
  --command TEXT        for target command: interpreter and arguments (default: /usr/bin/python3)
  --mix NAME            full (default) early light plain sympy javascript reward trivial ...
  --arrivals KIND       poisson (default), constant, burst or closed
  --rate N              calls/s of poisson and constant (default: 50)
  --burst N, --every MS calls of a burst, and time between bursts (default: 256, 5000)
  --seconds N           how long (default: 20)
  --calls N, --requests N  for closed: calls in all, requests in flight (default: 1000, 4)
  --transfer KIND       single, json, ndjson (default)
  --batch N             calls of a request (default: 1; closed and burst: 64)
`;

const text = { type: "string" } as const;
const OPTIONS = {
  suite: text,
  load: { type: "boolean" },
  compare: { type: "boolean" },
  report: text,
  quick: { type: "boolean" },
  help: { type: "boolean" },
  out: text,
  seed: text,
  service: text,
  "code-judge": text,
  "sandbox-fusion": text,
  piston: text,
  "go-judge": text,
  "peer-pid": { type: "string", multiple: true },
  target: text,
  api: text,
  url: text,
  key: text,
  pid: text,
  command: text,
  mix: text,
  arrivals: text,
  rate: text,
  burst: text,
  every: text,
  seconds: text,
  calls: text,
  requests: text,
  transfer: text,
  batch: text,
} as const satisfies ParseArgsOptionsConfig;

export const PEER_NAMES = ["code-judge", "sandbox-fusion", "piston", "go-judge"] as const;
export type PeerName = (typeof PEER_NAMES)[number];

export interface LoadFlags {
  readonly target: string;
  readonly api: "native" | WireName;
  readonly url: string | null;
  readonly key: string | null;
  readonly pid: number | null;
  readonly command: string;
  readonly mix: string;
  readonly arrivals: "poisson" | "constant" | "burst" | "closed";
  readonly rate: number;
  readonly burst: number;
  readonly everyMs: number;
  readonly seconds: number;
  readonly calls: number;
  readonly requests: number;
  readonly transfer: Transfer;
  readonly batch: number;
}

export type Mode =
  | { readonly kind: "suites"; readonly names: readonly string[] }
  | { readonly kind: "load" }
  | { readonly kind: "compare"; readonly files: readonly [string, string] }
  | { readonly kind: "report"; readonly file: string }
  | { readonly kind: "help" };

export interface Flags {
  readonly mode: Mode;
  readonly quick: boolean;
  readonly out: string;
  readonly seed: number | null;
  readonly service: readonly string[];
  readonly peerUrls: ReadonlyMap<PeerName, string>;
  readonly peerPids: ReadonlyMap<string, number>;
  readonly load: LoadFlags;
}

/** A flag that cannot be understood; the message is for people. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

function positive(name: string, value: string | undefined, fallback: number): number {
  const number = value === undefined ? fallback : Number(value);
  if (!(number > 0)) throw new FlagError(`--${name} is a number above 0, not ${value}`);
  return number;
}

function oneOf<const T extends string>(
  name: string,
  value: string | undefined,
  choices: readonly [T, ...T[]],
): T {
  if (value === undefined) return choices[0];
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new FlagError(`--${name} is one of ${choices.join(", ")}, not ${value}`);
  return found;
}

type Values = ReturnType<typeof parse>["values"];

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new FlagError((error as Error).message, { cause: error });
  }
}

function modeOf(values: Values, positionals: readonly string[]): Mode {
  if (values.help === true) return { kind: "help" };
  if (values.compare === true) {
    const [before, after] = positionals;
    if (before === undefined || after === undefined) throw new FlagError("--compare takes two result files");
    return { kind: "compare", files: [before, after] };
  }
  if (positionals.length > 0) throw new FlagError(`what is ${positionals.join(" ")}?`);
  if (values.report !== undefined) return { kind: "report", file: values.report };
  if (values.suite !== undefined) return { kind: "suites", names: values.suite.split(",") };
  return values.load === true ? { kind: "load" } : { kind: "help" };
}

function loadFlags(values: Values): LoadFlags {
  const arrivals = oneOf("arrivals", values.arrivals, ["poisson", "constant", "burst", "closed"]);
  const isBatched = arrivals === "burst" || arrivals === "closed";
  return {
    target: values.target ?? "rollcall",
    api: oneOf("api", values.api, ["native", ...WIRE_NAMES]),
    url: values.url?.replace(/\/+$/, "") ?? null,
    key: values.key ?? null,
    pid: values.pid === undefined ? null : positive("pid", values.pid, 0),
    command: values.command ?? "/usr/bin/python3",
    mix: values.mix ?? "full",
    arrivals,
    rate: positive("rate", values.rate, 50),
    burst: positive("burst", values.burst, 256),
    everyMs: positive("every", values.every, 5000),
    seconds: positive("seconds", values.seconds, 20),
    calls: positive("calls", values.calls, 1000),
    requests: positive("requests", values.requests, 4),
    transfer: oneOf("transfer", values.transfer, ["ndjson", "single", "json"]),
    batch: positive("batch", values.batch, isBatched ? 64 : 1),
  };
}

function peerPids(pairs: readonly string[]): Map<string, number> {
  return new Map(
    pairs.map((pair) => {
      const [name = "", pid] = pair.split("=");
      return [name, positive("peer-pid", pid, 0)];
    }),
  );
}

/** @throws FlagError for what cannot be understood. */
export function readBenchFlags(argv: readonly string[]): Flags {
  const { values, positionals } = parse(argv);
  const peerUrls = new Map<PeerName, string>();
  for (const name of PEER_NAMES) {
    const url = values[name];
    if (url !== undefined) peerUrls.set(name, url);
  }
  return {
    mode: modeOf(values, positionals),
    quick: values.quick ?? false,
    out: values.out ?? ".rollcall/bench",
    seed: values.seed === undefined ? null : positive("seed", values.seed, 1),
    service: values.service?.split(/\s+/).filter((word) => word !== "") ?? [],
    peerUrls,
    peerPids: peerPids(values["peer-pid"] ?? []),
    load: loadFlags(values),
  };
}
