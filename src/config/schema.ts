/**
 * Every key of the configuration: one schema from which types, checks, environment names, flags, the
 * `rollcall config` table and docs/configuration.md are all derived.
 *
 * Invariant: every leaf has a `description` and a `default`, and a `unit` where it is a quantity.
 */
import { Type, type Static, type TSchema } from "typebox";
import { ISOLATION_TIERS } from "../contract/description.ts";
import { DEFAULT_LIMIT_POLICY, LimitsSchema, type Limits } from "../contract/limits.ts";
import { choice, DAY_MS, flag, HOUR_MS, MiB, quantity, section, text, type Unit } from "./schema-parts.ts";
import { wire } from "./wire-schema.ts";

/** One bearer key; its name is the tenant for whom the calls are. */
export const KeySchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 64, pattern: "^[A-Za-z0-9._-]+$" }),
    key: Type.String({ minLength: 16, maxLength: 512, pattern: "^[\\x21-\\x7e]+$" }),
  },
  { additionalProperties: false },
);
export type Key = Static<typeof KeySchema>;

/** What a list of keys must look like, for messages. */
export const KEYS_EXPECTED =
  "a list of at most 1000 {name, key}: names 1 to 64 of A-Z a-z 0-9 . _ -, keys 16 to 512 visible ASCII characters";

const http = section("The HTTP server.", {
  host: text(
    "127.0.0.1",
    "Address to listen on. Any address but a loopback one needs http.keys or http.keysFile.",
  ),
  port: quantity("count", 8707, 0, 65535, "TCP port; 0 takes a free one."),
  processes: quantity(
    "count",
    0,
    0,
    64,
    "Processes that answer HTTP on the port. 1: the service is one process. More: so many beside the process that has queue and slots. 0: one for each eight of this machine's cores, and so one process below sixteen.",
  ),
  keys: Type.Array(KeySchema, {
    default: [],
    maxItems: 1000,
    secret: true,
    description:
      "Bearer keys, a list of {name, key}; name is the tenant. Empty: no key is asked for, on loopback only. Never given as a flag.",
  }),
  keysFile: text("", "JSON or YAML file with more keys, the same list as http.keys. Empty: none."),
  bodyBytesMax: quantity("bytes", 128 * MiB, 1024, 2 ** 29 - 1, "Longest request body."),
  bodiesBytesMax: quantity(
    "bytes",
    1024 * MiB,
    1024,
    2 ** 40,
    "Bytes of all request bodies that are being received at once; above it requests get queue_full. Shared out evenly among http.processes, each of which takes one longest body at the least.",
  ),
  answerBytesMax: quantity(
    "bytes",
    256 * MiB,
    1024,
    2 ** 29 - 1,
    "Longest answer to a batch in one JSON document; streams have no bound.",
  ),
  headerBytesMax: quantity("bytes", 16384, 1024, 1 * MiB, "Longest request header."),
  connectionsMax: quantity(
    "connections",
    10_000,
    1,
    1_000_000,
    "Connections open at once; more are closed at once. Shared out evenly among http.processes.",
  ),
  headersTimeoutMs: quantity("ms", 10_000, 100, DAY_MS, "Time for a request's header to arrive."),
  requestTimeoutMs: quantity(
    "ms",
    120_000,
    100,
    DAY_MS,
    "Time for a whole request, body included, to arrive.",
  ),
  keepAliveTimeoutMs: quantity(
    "ms",
    75_000,
    100,
    DAY_MS,
    "Time that a connection may be open with nothing asked.",
  ),
  stallTimeoutMs: quantity(
    "ms",
    60_000,
    100,
    DAY_MS,
    "Time without progress after which a client that does not read its answer is cut off.",
  ),
});

const queue = section("Calls that wait for a slot.", {
  callsMax: quantity("calls", 100_000, 1, 10_000_000, "Calls that may wait at once."),
  bytesMax: quantity(
    "bytes",
    512 * MiB,
    MiB,
    2 ** 40,
    "Bytes of source, stdin and files that may wait at once.",
  ),
  batchCallsMax: quantity("calls", 10_000, 1, 1_000_000, "Calls in one batch."),
});

const verify = section("Verifications: docs/verification.md.", {
  batchMax: quantity("count", 20_000, 1, 1_000_000, "Verifications in one batch."),
  callsMax: quantity(
    "calls",
    256,
    1,
    100_000,
    "Calls of one request for verification that wait or run at once; the others wait outside of the queue.",
  ),
  mathWallMs: quantity(
    "ms",
    5000,
    1,
    DAY_MS,
    "Wall time of a math check that asks for no limit, or the ceiling of wall_ms where that is lower.",
  ),
});

const limitUnit = (name: string): Unit =>
  name.endsWith("_ms") ? "ms" : name.endsWith("_bytes") ? "bytes" : "count";

function limitsSection(description: string, defaults: Limits, prefix: string): typeof LimitsSchema {
  const properties: Record<string, TSchema> = {};
  for (const [name, schema] of Object.entries(LimitsSchema.properties)) {
    properties[name] = {
      ...schema,
      unit: limitUnit(name),
      default: defaults[name as keyof Limits],
      maximum: Number.MAX_SAFE_INTEGER,
      description:
        `${prefix} ${name} of a call. ${name === "cpu_ms" && prefix === "Default" ? "When only wall_ms is set: twice that." : ""}`.trim(),
    };
  }
  return Type.Object(properties, {
    additionalProperties: false,
    description,
  }) as unknown as typeof LimitsSchema;
}

const limits = section("Bounds on calls; the names below are those of a call's own `limits`.", {
  default: limitsSection("What a call gets when it does not ask.", DEFAULT_LIMIT_POLICY.default, "Default"),
  ceiling: limitsSection("The most that a call may ask for.", DEFAULT_LIMIT_POLICY.ceiling, "Ceiling of"),
});

const sessions = section(
  "Live interpreters that are kept between calls; they have sandboxes of their own beside the slots.",
  {
    max: quantity(
      "sessions",
      256,
      0,
      65_536,
      "Sessions open at once, forks included. Each takes memory for as long as it is open.",
    ),
    tenantMax: quantity(
      "sessions",
      0,
      0,
      65_536,
      "Sessions open at once of one tenant; 0: as many as sessions.max.",
    ),
    callsMax: quantity(
      "calls",
      0,
      0,
      4096,
      "Calls in sessions that run at once, beside those in slots; more wait. 0: as many as this machine's CPUs suggest.",
    ),
    waitingMax: quantity(
      "calls",
      64,
      1,
      100_000,
      "Calls and forks that may wait in one session while another runs; more are refused.",
    ),
    idleMs: quantity(
      "ms",
      10 * 60_000,
      1,
      7 * DAY_MS,
      "Time without a call after which a session is closed, when it does not ask.",
    ),
    idleMsMax: quantity("ms", HOUR_MS, 1, 7 * DAY_MS, "The most that a session may ask for idle_ms."),
    totalMs: quantity(
      "ms",
      2 * HOUR_MS,
      1,
      7 * DAY_MS,
      "Time from its opening after which a session is closed, when it does not ask.",
    ),
    totalMsMax: quantity("ms", DAY_MS, 1, 7 * DAY_MS, "The most that a session may ask for total_ms."),
  },
);

const SLOTS = "Calls that run at once; 0: as many as this machine's CPUs suggest.";

export const ConfigSchema = section("Rollcall's configuration.", {
  http,
  queue,
  verify,
  limits,
  sessions,
  runtimes: section("Which runtimes calls may name; an engine that none of them needs is not started.", {
    python: flag(true, "Take calls of runtime python."),
    javascript: flag(true, "Take calls of runtime javascript."),
    node: flag(true, "Take calls of runtime node."),
    bash: flag(true, "Take calls of runtime bash."),
    cpp: flag(true, "Take calls of runtime cpp; left out, with a warning, where the sandbox has no g++."),
  }),
  compile: section("The compile stage of compiled runtimes.", {
    cacheBytes: quantity(
      "bytes",
      64 * MiB,
      0,
      4096 * MiB,
      "Programs kept for the next call of the same source, files and tenant; the one that was used longest ago goes first. 0 keeps none.",
    ),
  }),
  python: section("The python runtime.", {
    slots: quantity("slots", 0, 0, 4096, SLOTS),
    interpreter: text(
      "",
      "Path of the Python interpreter inside the sandbox's root file system. Empty: its python3.",
    ),
    packagesDirectory: text(
      "",
      "Directory of installed packages, mounted read-only and put on the import path. Empty: the one that set-up made.",
    ),
    spare: flag(
      true,
      "Keep a second interpreter with all modules ready, for when the first is lost: about 100 MiB, and two seconds of CPU time after the start.",
    ),
  }),
  javascript: section("The javascript runtime.", {
    slots: quantity("slots", 0, 0, 4096, SLOTS),
  }),
  container: section("How containers are made.", {
    runtime: choice(
      ["auto", "crun", "runc", "runsc", "docker", "podman", "process"],
      "auto",
      "What makes containers. auto: crun when it is there, else runc. runsc: gVisor, for runtime javascript only. docker, podman: asked for them by their command; need isolation.minimum watched_container. process: no containers, but processes that confine themselves; needs isolation.minimum confined_process.",
    ),
    rootfs: text("", "Directory of a built root file system. Empty: the machine's own /usr, read-only."),
    cgroupParent: text(
      "",
      "Cgroup below which the sandboxes' cgroups are made. Empty: the top of each hierarchy.",
    ),
    stateDirectory: text(
      "",
      "Directory for bundles and sockets; everybody must be able to pass through it. Leftovers of services that are gone are removed at the start. Empty: /run/rollcall; for a service that is not root a directory of its user's own.",
    ),
  }),
  wire,
  isolation: section("What isolation is asked for.", {
    minimum: choice(
      ISOLATION_TIERS,
      "container",
      "The weakest tier this service may start with; it refuses to start when the machine cannot give it.",
    ),
  }),
  log: section("Log lines, JSON on stdout.", {
    level: choice(
      ["trace", "debug", "info", "warn", "error", "fatal", "silent"],
      "info",
      "Least severe level that is written; at debug there is one line per call.",
    ),
    pretty: flag(false, "Lines for people in place of JSON."),
  }),
  drain: section("The way out.", {
    timeoutMs: quantity(
      "ms",
      30_000,
      0,
      DAY_MS,
      "Time that calls in flight have to end after SIGTERM; then they are cancelled.",
    ),
    whenInputEnds: flag(
      false,
      "Also go when standard input ends: a pipe that whoever started the service holds open ends with them, however they end.",
    ),
  }),
});

/** The whole configuration, every key filled in. */
export type Config = Static<typeof ConfigSchema>;
