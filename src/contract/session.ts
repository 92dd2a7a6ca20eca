/**
 * A session: a live interpreter that is kept between calls, and can be forked. These objects are the HTTP bodies
 * of the `/v1/sessions` routes and the arguments of `Executor.openSession` and of a `Session`, as a Call is.
 *
 * A session has its own sandbox: files, memory and processes are bounded for the session as a whole, wall time,
 * CPU time and output for each call. One call runs at a time; those that come meanwhile wait in order.
 */
import { Type, type Static } from "typebox";
import { CALL_BOUNDS, CallSchema, RUNTIME_IDS } from "./call.ts";
import { LimitsSchema } from "./limits.ts";
import type { Result } from "./result.ts";
import { nullable } from "./schema-parts.ts";

/** Bounds on the shape of what sessions take; none depends on configuration. */
export const SESSION_BOUNDS = {
  /** New sessions by one fork. */
  forkCountMax: 256,
  importsMax: 64,
  deadlineMsMax: 7 * 24 * 3600 * 1000,
} as const;

const { source, stdin, files, collect, env, output_encoding, deadline_ms } = CallSchema.properties;

const idSchema = (description: string) =>
  Type.String({
    minLength: 1,
    maxLength: CALL_BOUNDS.idLengthMax,
    pattern: "^[A-Za-z0-9._:-]+$",
    description,
  });

const deadlines = {
  idle_ms: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: SESSION_BOUNDS.deadlineMsMax,
      description:
        "Milliseconds without a call after which the session is closed. Default and ceiling are the service's.",
    }),
  ),
  total_ms: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: SESSION_BOUNDS.deadlineMsMax,
      description:
        "Milliseconds from its opening after which the session is closed, whatever it does. Default and ceiling are the service's.",
    }),
  ),
};

export const SessionSpecSchema = Type.Object(
  {
    runtime: Type.Enum(RUNTIME_IDS, {
      type: "string",
      description: "Language of the session's calls; `/v1/info` says which runtimes have sessions.",
    }),
    limits: Type.Optional(
      Type.Partial(LimitsSchema, {
        additionalProperties: false,
        description:
          "`memory_bytes`, `processes` and `disk_bytes` bound the session as a whole, what its calls leave behind included; `wall_ms`, `cpu_ms` and `output_bytes` are those of a call that names none.",
      }),
    ),
    files,
    env,
    imports: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 128, pattern: "^[A-Za-z0-9_.]+$" }), {
        maxItems: SESSION_BOUNDS.importsMax,
        description:
          "Modules that the session's calls will import. Where the service has an interpreter that has imported them already, the session begins with that one; nothing else depends on it.",
      }),
    ),
    program: Type.Optional(
      Type.Boolean({
        description:
          "True: the session is one program, and its calls are the parts of its source. It ends as a program does: at a part that raises, at a limit, and after the part with mode `last`. Default: false.",
      }),
    ),
    ...deadlines,
    id: Type.Optional(
      idSchema(
        "The caller's name for the session, unique among the tenant's open ones. Default: one that cannot be guessed.",
      ),
    ),
  },
  { $id: "SessionSpec", additionalProperties: false },
);
/** What a session is opened with; see {@link SessionSpecSchema} for units and defaults. */
export type SessionSpec = Static<typeof SessionSpecSchema>;

export const SessionCallSchema = Type.Object(
  {
    source,
    mode: Type.Optional(
      Type.Enum(["cell", "script", "last"], {
        type: "string",
        description:
          "`cell` (default) returns the repr of a last bare expression as `value`; `script` shows nothing. Both run in the session's one namespace. Of a program's parts `script` (default) is one after which more come, and `last` the one after which the program ends.",
      }),
    ),
    stdin,
    files,
    collect,
    limits: Type.Optional(
      Type.Partial(Type.Pick(LimitsSchema, ["wall_ms", "cpu_ms", "output_bytes"]), {
        additionalProperties: false,
        description: "Bounds for this call; what is left out is the session's.",
      }),
    ),
    output_encoding,
    deadline_ms,
    id: Type.Optional(
      idSchema("The caller's name for the call, for its Result. Calls of a session are never joined."),
    ),
  },
  { $id: "SessionCall", additionalProperties: false },
);
/** One call in a session: the source of a cell and what goes with it. */
export type SessionCall = Static<typeof SessionCallSchema>;

export const ForkSpecSchema = Type.Object(
  {
    count: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: SESSION_BOUNDS.forkCountMax,
        description: "New sessions to make, all or none. Default: 1.",
      }),
    ),
    reseed: Type.Optional(
      Type.Boolean({
        description:
          "True (default): `random` is seeded anew in each fork, as after `os.fork`. False: random state goes on as it was, so that a fork gives what a replay of the same calls would.",
      }),
    ),
    ...deadlines,
  },
  { $id: "ForkSpec", additionalProperties: false },
);
/** How a session is forked; deadlines that are left out are those of the session that is forked. */
export type ForkSpec = Static<typeof ForkSpecSchema>;

export const SESSION_STATES = ["idle", "busy", "lost", "closed"] as const;

export const SessionDescriptionSchema = Type.Object(
  {
    id: Type.String(),
    runtime: Type.Enum(RUNTIME_IDS, { type: "string" }),
    state: Type.Enum(SESSION_STATES, {
      type: "string",
      description:
        "`idle`, `busy` with a call or a fork; `lost`: its interpreter is gone and with it all state; `closed`: by its caller or a deadline.",
    }),
    detail: nullable(Type.String({ description: "Why it is lost or closed; null otherwise." })),
    parent: nullable(Type.String({ description: "Id of the session that it was forked from." })),
    calls: Type.Integer({ description: "Calls that were begun, those before its fork included." }),
    waiting: Type.Integer({ description: "Calls and forks that wait for their turn." }),
    limits: LimitsSchema,
    idle_ms: Type.Integer({ description: "Its idle deadline. Milliseconds." }),
    total_ms: Type.Integer({ description: "Its total deadline, from its opening. Milliseconds." }),
    age_ms: Type.Number({ description: "Since it was opened or forked. Milliseconds." }),
    unused_ms: Type.Number({
      description: "Since its last call or fork was done, or since its opening; 0 during one. Milliseconds.",
    }),
  },
  { $id: "SessionDescription", additionalProperties: false },
);
/** What a session is and how it stands. */
export type SessionDescription = Static<typeof SessionDescriptionSchema>;

/** As those of `execute`. */
export interface SessionOptions {
  /** Gives the opening up. */
  readonly signal?: AbortSignal;
  /** For whom the session is: nobody else finds it. Default: one anonymous tenant. */
  readonly tenant?: string;
}

/**
 * A live interpreter. What was defined in one call is there in the next; a call that raised, or met a time limit and
 * could be interrupted, leaves the state as it stood. Every Result of it says in `session.state` whether that is so.
 */
export interface Session {
  readonly id: string;
  /**
   * Runs one call in the session, after those that wait already.
   *
   * The Result has the field `session`. With `session.state` `kept` the interpreter is alive, whatever the outcome;
   * with `lost` it is not, and every later call is refused with `session_lost`: open another session.
   * Aborting the signal interrupts the call as a time limit does.
   * @throws SandboxError `session_lost`, `session_closed`, `session_busy` (too many wait), or what makes a call not
   *   acceptable; never for anything the program did.
   */
  execute(call: SessionCall, options?: Pick<SessionOptions, "signal">): Promise<Result>;
  /**
   * New sessions that begin where this one stands, by copy-on-write: variables, modules, files written so far. From
   * then on each has its own memory, files, output and limits. Waits for calls that were sent before.
   * Each counts as a session. Processes and threads of the session other than its interpreter's main thread are not
   * in the forks. All of the new sessions are made, or none.
   * @throws SandboxError `session_lost`, `session_closed`, `sessions_full`, `fork_failed`.
   */
  fork(spec?: ForkSpec): Promise<readonly Session[]>;
  /** @throws SandboxError `session_not_found` once it has been forgotten. */
  describe(): Promise<SessionDescription>;
  /** Ends the session and everything in it; a call that runs is cancelled. Ends no fork of it. Never rejects for a session that is gone. */
  close(): Promise<void>;
}
