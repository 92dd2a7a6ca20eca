/** The compiled schemas of the HTTP API, as Fastify runs them: the check of a body, the writing of a Result. */
import { fastify } from "fastify";
import { sharedSchemas } from "../../src/http/schemas.ts";
import { acceptCall } from "../../src/core/accept.ts";
import { concludeWithoutRun } from "../../src/core/conclude.ts";
import { DEFAULT_LIMIT_POLICY } from "../../src/contract/limits.ts";
import { RUNTIMES } from "../../src/runtimes/registry.ts";
import { timeMicro, type MicroBench, type MicroOptions, type MicroResult } from "./loop.ts";

const BATCH_CALLS_MAX = 10_000;
const CALL = { runtime: "python", source: "print(6 * 7)\n", stdin: "1 2 3\n" };

interface Compiled {
  readonly validate: (body: unknown) => unknown;
  readonly serialize: (result: object) => string;
}

async function compile(): Promise<{ compiled: Compiled; close: () => Promise<void> }> {
  const app = fastify({
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allErrors: false,
        discriminator: true,
      },
    },
  });
  for (const schema of sharedSchemas(BATCH_CALLS_MAX, BATCH_CALLS_MAX)) app.addSchema(schema);
  let compiled: Compiled | null = null;
  app.get("/", (request, reply) => {
    const call = request.compileValidationSchema({ $ref: "Call#" });
    const result = reply.compileSerializationSchema({ $ref: "Result#" });
    compiled = { validate: call, serialize: result as Compiled["serialize"] };
    return "";
  });
  await app.inject("/");
  if (compiled === null) throw new Error("the schemas were not compiled");
  return { compiled, close: () => app.close() };
}

function benches({ validate, serialize }: Compiled): MicroBench[] {
  const options = { runtimes: RUNTIMES, limits: DEFAULT_LIMIT_POLICY, newId: () => "an-id" };
  const call = acceptCall({ runtime: "python", source: "" }, options, "");
  const result = concludeWithoutRun(call, "cancelled", "a detail", { acceptedMs: 0, grantedMs: 1 });
  const item = { id: "schema_call", label: "check a call by its schema", per: "call" };
  return [
    { ...item, make: () => () => validate(CALL) },
    {
      id: "schema_result",
      label: "write a Result by its schema",
      per: "call",
      make: () => () => serialize(result),
    },
  ];
}

export async function timeSchemas(
  options: MicroOptions,
): Promise<{ bench: MicroBench; result: MicroResult }[]> {
  const { compiled, close } = await compile();
  try {
    return benches(compiled).map((bench) => ({ bench, result: timeMicro(bench, options) }));
  } finally {
    await close();
  }
}
