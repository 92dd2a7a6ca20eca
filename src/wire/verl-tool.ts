/**
 * verl-tool's tool server with its one tool, Python: raw text of the model comes in, the code is found in it, and what
 * the program printed goes back. A trajectory's state, where it is kept, ends with the request that says `finish`.
 */
import type { Call } from "../contract/call.ts";
import { SandboxError } from "../contract/errors.ts";
import type { ExecuteOptions } from "../contract/executor.ts";
import type { Outcome } from "../contract/outcome.ts";
import type { Result } from "../contract/result.ts";
import { during, notCarriedOut, wallMs, type Adapter, type WireParts } from "./adapter.ts";
import * as body from "./fastapi.ts";
import { namedSessions, type NamedSessions } from "./named-sessions.ts";
import { firstCharacters, MEMORY_ERROR, strip } from "./python-text.ts";

export interface VerlToolOptions {
  /** Wall time of an action. Milliseconds. */
  readonly wallMs: number;
  /** One interpreter for each trajectory. */
  readonly stateful: boolean;
}

/** What is shown after the output; `gone`: nobody's program is told of, the client is to come again. */
const TOLD_AS: Readonly<Record<Outcome, "output" | "timeout" | "memory" | "gone">> = {
  completed: "output",
  failed: "output",
  signaled: "output",
  compile_failed: "output",
  wall_limit: "timeout",
  cpu_limit: "timeout",
  memory_limit: "memory",
  output_limit: "output",
  process_limit: "output",
  disk_limit: "output",
  cancelled: "gone",
  sandbox_failed: "gone",
};

const Actions = body.model({
  trajectory_ids: body.required(body.list(body.identity)),
  actions: body.required(body.list(body.text)),
  extra_fields: body.optional(body.nullable(body.list(body.anything)), null),
  finish: body.optional(body.nullable(body.list(body.boolean)), null),
});
type Actions = ReturnType<typeof Actions>;

interface Observation {
  readonly obs: string;
  readonly done: boolean;
  readonly valid: boolean;
}

interface Action {
  readonly trajectory: string;
  readonly text: string;
  readonly stdin: string | null;
  readonly finish: boolean;
}

function actionsOf({ trajectory_ids, actions, extra_fields, finish }: Actions): Action[] {
  return actions.slice(0, trajectory_ids.length).map((text, index) => {
    const stdin = (extra_fields?.[index] as { stdin?: unknown } | null | undefined)?.stdin;
    return {
      trajectory: String(trajectory_ids[index]),
      text,
      stdin: typeof stdin === "string" ? stdin : null,
      finish: finish?.[index] === true,
    };
  });
}

/** Where a program stands in a text; the first of these that is there at all says where all of it stand. */
const PLACES = [/<python>([\s\S]*?)<\/python>/g, /```\n?python([\s\S]*?)```/g, /```\n?py([\s\S]*?)```/g];
const INPUT = /```input\n([\s\S]*?)\n```/;
/** Characters of an observation. */
const OBSERVATION_MAX = 100_000;

interface Found {
  readonly source: string;
  /** Standard input that stands in the text, before which any other is nothing. */
  readonly stdin: string | null;
}

/** The program in a text, which may stand there in parts; null when there is none. */
function programIn(text: string): Found | null {
  const parts = PLACES.map((place) => [...text.matchAll(place)]).find((found) => found.length > 0);
  if (parts === undefined) return null;
  const stdin = INPUT.exec(text)?.[1];
  return {
    source: parts.map(([, part = ""]) => strip(part)).join("\n"),
    stdin: stdin === undefined ? null : strip(stdin),
  };
}

/** @throws SandboxError for what says nothing about the program. */
function textOf(result: Result, wall: number): string {
  const told = TOLD_AS[result.outcome];
  if (told === "gone") throw notCarriedOut(result);
  const value = result.value === null ? "" : `${result.value}\n`;
  const limit =
    told === "timeout"
      ? `Execution timed out after ${wall / 1000} seconds.\n`
      : told === "memory"
        ? MEMORY_ERROR
        : "";
  const text = `${result.stdout + value}\n${result.stderr.replaceAll('File "/work/', 'File "')}${limit}`;
  return firstCharacters(text.replaceAll(/^[ \n]+|[ \n]+$/g, ""), OBSERVATION_MAX);
}

/** The observation as it goes on from the text of its action. */
function shown(observation: string, action: string): string {
  if (action.includes("```output") || action.includes("```python")) {
    const isClosed = action.split("```").length % 2 === 1;
    return `\n${isClosed ? "```result\n" : ""}${observation}\n\`\`\`\n`;
  }
  if (action.includes("</tool_call>"))
    return `\n<tool_response>\n\`\`\`result\n${observation}\n\`\`\`\n</tool_response>\n`;
  const isBegun = /<result>[ \n]*$/.test(action);
  return `\n${isBegun ? "" : "<result>\n"}${observation}\n</result>\n`;
}

/** What cannot be a call is told to the model; what cannot be carried out now is refused for all actions. */
async function observe(work: Promise<Observation>): Promise<Observation> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof SandboxError) || error.fault !== "caller" || error.retryable) throw error;
    return { obs: error.message, done: false, valid: false };
  }
}

async function act(
  action: Action,
  parts: WireParts,
  sessions: NamedSessions | null,
  wall: number,
  options: ExecuteOptions,
): Promise<Observation> {
  if (action.finish) {
    await sessions?.close(action.trajectory, options);
    return { obs: "", done: true, valid: true };
  }
  const found = programIn(action.text);
  if (found === null) return { obs: "", done: false, valid: false };
  const stdin = found.stdin ?? action.stdin;
  const call = {
    source: found.source,
    limits: { wall_ms: wallMs(wall / 1000, parts.limits) },
    ...(stdin === null ? {} : { stdin }),
  } satisfies Omit<Call, "runtime">;
  const result =
    sessions === null
      ? await parts.executor.execute({ ...call, runtime: "python" }, options)
      : (await sessions.execute(action.trajectory, call, options)).result;
  return { obs: shown(textOf(result, wall), action.text), done: false, valid: true };
}

export function verlTool({ wallMs: wall, stateful }: VerlToolOptions): Adapter {
  return {
    routes(app, parts) {
      const sessions = stateful ? namedSessions(parts.executor, "verl-tool") : null;
      app.get("/health", { config: { open: true } }, () => Promise.resolve({ status: "healthy" }));
      app.post("/get_observation", async (request, reply) => {
        const actions = actionsOf(body.readBody(Actions, request.body));
        const started = performance.now();
        const answers = await during(parts, request, reply, (options) =>
          Promise.all(actions.map((action) => observe(act(action, parts, sessions, wall, options)))),
        );
        return {
          observations: answers.map(({ obs }) => obs),
          dones: answers.map(({ done }) => done),
          valids: answers.map(({ valid }) => valid),
          processing_time_ms: performance.now() - started,
        };
      });
    },
    sendError(error, reply) {
      body.sendFastapiError(error, reply, error.retryable ? 503 : error.status);
    },
  };
}
