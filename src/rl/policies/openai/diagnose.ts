/** Whether an endpoint of OpenAI's API answers, takes the key and has the model. */
import { fail, ok, warn, type Finding } from "../../../lib/finding.ts";
import { keyOf } from "../../secret.ts";
import { createEndpoint, saidBy } from "../endpoint.ts";
import { bearer } from "../inference-engine.ts";
import type { OpenAiSettings } from "./settings.ts";

const ASK_MS = 10_000;

export async function diagnoseOpenAi({ url, key, model }: OpenAiSettings): Promise<Finding[]> {
  const name = "endpoint";
  if (model === "") return [fail(name, "no model is named", "engine.model=NAME")];
  const mend = "correct engine.url and engine.key";
  try {
    const endpoint = createEndpoint({ baseUrl: url, headers: bearer(keyOf(key).key) });
    try {
      const { status, bytes } = await endpoint.ask({ path: "/models", timeoutMs: ASK_MS });
      if (status === 404)
        return [warn(name, `${url} answers and does not list its models`, "nothing, if it has the model")];
      if (status !== 200) return [fail(name, `${url}/models answered ${status}: ${saidBy(bytes)}`, mend)];
      const listed = (JSON.parse(bytes.toString("utf8")) as { data?: { id?: unknown }[] }).data ?? [];
      return listed.some(({ id }) => id === model)
        ? [ok(name, `${url} has ${model}`)]
        : [warn(name, `${url} does not list ${model}`, "engine.model=NAME, as the endpoint calls it")];
    } finally {
      await endpoint.close();
    }
  } catch (error) {
    return [fail(name, (error as Error).message, mend)];
  }
}
