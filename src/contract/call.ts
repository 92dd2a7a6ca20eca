/**
 * One tool call as a caller states it. The same object is the HTTP body of `POST /v1/calls`, an item of a
 * batch and the argument of `Executor.execute`, so that a call is parsed once and never translated.
 */
import { Type, type Static } from "typebox";
import { LimitsSchema } from "./limits.ts";
import { dictionary } from "./schema-parts.ts";

export const RUNTIME_IDS = ["python", "javascript", "node", "bash", "cpp"] as const;
export type RuntimeId = (typeof RUNTIME_IDS)[number];

export const PRIORITIES = ["high", "normal", "low"] as const;
export type Priority = (typeof PRIORITIES)[number];

export const ENCODINGS = ["utf8", "base64"] as const;

/** Bounds on the shape of a call; every one has a unit and none depends on configuration. */
export const CALL_BOUNDS = {
  sourceBytesMax: 4 << 20,
  stdinBytesMax: 32 << 20,
  filesMax: 256,
  filesBytesMax: 64 << 20,
  pathBytesMax: 512,
  argsMax: 128,
  argsBytesMax: 64 << 10,
  envMax: 64,
  collectMax: 64,
  idLengthMax: 128,
  deadlineMsMax: 24 * 3600 * 1000,
  compileMsDefault: 30_000,
  compileMsMax: 120_000,
} as const;

export const FileContentSchema = Type.Union(
  [
    Type.String({ description: "The file's text; stored as UTF-8." }),
    Type.Object(
      { content: Type.String(), encoding: Type.Enum(ENCODINGS, { type: "string" }) },
      { additionalProperties: false },
    ),
  ],
  { $id: "FileContent" },
);
export type FileContent = Static<typeof FileContentSchema>;

export const CallSchema = Type.Object(
  {
    runtime: Type.Enum(RUNTIME_IDS, {
      type: "string",
      description:
        "`python` (preloaded CPython in a container), `javascript` (a V8 isolate), `node` (a Node process in a container), `bash` (a shell script in a container), `cpp` (C++17, compiled and run in a container).",
    }),
    source: Type.String({ description: "The program. At most 4 MiB of UTF-8." }),
    stdin: Type.Optional(
      Type.String({ description: "What the program reads from standard input. Default: empty." }),
    ),
    args: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: CALL_BOUNDS.argsMax,
        description: "Command line arguments after the program's own name.",
      }),
    ),
    files: Type.Optional(
      dictionary(FileContentSchema, {
        description: "Files put into the working directory before the start, by path relative to it.",
      }),
    ),
    collect: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: CALL_BOUNDS.pathBytesMax }), {
        maxItems: CALL_BOUNDS.collectMax,
        description: "Paths, relative to the working directory, of regular files to hand back after the end.",
      }),
    ),
    limits: Type.Optional(
      Type.Partial(LimitsSchema, {
        additionalProperties: false,
        description: "Bounds for this call; what is left out takes the service's default.",
      }),
    ),
    compile_ms: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: CALL_BOUNDS.compileMsMax,
        description:
          "Wall time of the compile stage of a compiled runtime; the run stage has `limits.wall_ms`. Milliseconds. Default: 30000.",
      }),
    ),
    env: Type.Optional(
      dictionary(Type.String(), {
        description: "Environment variables added to the fixed list of the sandbox.",
      }),
    ),
    mode: Type.Optional(
      Type.Enum(["script", "cell"], {
        type: "string",
        description:
          "`script` (default) runs the source as a file. `cell` also returns the repr of a last bare expression as `value`.",
      }),
    ),
    output_encoding: Type.Optional(
      Type.Enum(ENCODINGS, {
        type: "string",
        description:
          "`utf8` (default) replaces bytes that are not UTF-8 by U+FFFD; `base64` returns stdout and stderr byte for byte.",
      }),
    ),
    id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: CALL_BOUNDS.idLengthMax,
        pattern: "^[A-Za-z0-9._:-]+$",
        description: "The caller's name for the call. One already in flight is joined, not run again.",
      }),
    ),
    priority: Type.Optional(
      Type.Enum(PRIORITIES, { type: "string", description: "Lane in the queue. Default: normal." }),
    ),
    deadline_ms: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: CALL_BOUNDS.deadlineMsMax,
        description:
          "Milliseconds from acceptance until the answer is of no more use; queue time counts here.",
      }),
    ),
  },
  { $id: "Call", additionalProperties: false },
);

/** A call as a caller states it; see {@link CallSchema} for units and defaults. */
export type Call = Static<typeof CallSchema>;
