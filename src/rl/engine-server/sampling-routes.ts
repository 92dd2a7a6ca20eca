/** Sampling, and the log probabilities of prompts. */
import type { FastifyInstance } from "fastify";
import type { EmbeddedEngine } from "../policies/embedded/engine.ts";
import type { SampleRequest } from "../ports.ts";
import type { SampleResponse } from "../tinker-wire/messages.ts";
import { encodeSampleResponse } from "../tinker-wire/sample-proto.ts";
import { SampleBody } from "./bodies.ts";
import { checkBody } from "./check-body.ts";
import { tokensOf } from "./datum-of.ts";
import { ApiError } from "./errors.ts";
import type { Hub } from "./hub.ts";
import { digestOf } from "./sequence.ts";
import { submittedAs } from "./submit.ts";

/** Seeds of the samples of one request; the first is the request's own. */
const SEED_STRIDE = 7_919;
const SEED_MOD = 2 ** 47;

/** @param encode ids of a text, or null when it is not one token. @throws ApiError 400 */
function stopsOf(
  stop: SampleBody["sampling_params"]["stop"],
  encode: (text: string) => number | null,
): number[] {
  if (stop === null || stop === undefined) return [];
  return (typeof stop === "string" ? [stop] : [...stop]).map((one) => {
    const id = typeof one === "number" ? one : encode(one);
    if (id === null)
      throw new ApiError(
        400,
        `stop: ${JSON.stringify(one)} is not one token of the vocabulary; give token ids`,
      );
    return id;
  });
}

function requestsOf(
  body: SampleBody,
  hub: Hub,
  key: string,
  encode: (text: string) => number | null,
): SampleRequest[] {
  const prompt = tokensOf(body.prompt);
  const { max_tokens, temperature = 1, top_p = 1, top_k = -1, seed, stop } = body.sampling_params;
  if (top_k > 0)
    throw new ApiError(400, `top_k is ${top_k}: this engine keeps all tokens (-1) or top_p of them`);
  const room = hub.contextTokens - prompt.length;
  if (room < 1)
    throw new ApiError(
      400,
      `the prompt has ${prompt.length} tokens and leaves nothing of the context of ${hub.contextTokens}`,
    );
  const count = body.num_samples ?? 1;
  if (count > hub.limits.samplesMax)
    throw new ApiError(422, `num_samples is ${count}; ${hub.limits.samplesMax} are allowed`);
  return Array.from({ length: count }, (_, index) => ({
    prompt,
    maxTokens: Math.min(max_tokens ?? room, room),
    temperature,
    topP: top_p,
    stop: stopsOf(stop, encode),
    ...(typeof seed === "number"
      ? { seed: (((seed + index * SEED_STRIDE) % SEED_MOD) + SEED_MOD) % SEED_MOD }
      : {}),
    // Samples of one prompt spread over the replicas; the turns of a trajectory come with one seq_id.
    sessionKey: `${key}:${body.seq_id ?? ""}:${index}`,
  }));
}

async function promptLogprobs(engine: EmbeddedEngine, tokens: readonly number[]): Promise<(number | null)[]> {
  if (tokens.length < 2) return tokens.map(() => null);
  const [logprobs = []] = await engine.logprobs([{ tokens, weights: tokens.slice(1).map(() => 0) }]);
  return [null, ...logprobs];
}

/** With a name for each sequence, which newer clients refer to it by. */
function sampledAs(id: string, count: number) {
  return {
    ...submittedAs(id),
    sample_sequence_ids: Array.from({ length: count }, (_, index) => `${id}-${index}`),
  };
}

export function registerSamplingRoutes(
  app: FastifyInstance,
  hub: Hub,
  encode: (text: string) => number | null,
): void {
  app.post("/asample", {
    handler: async (request) => {
      const body = checkBody(SampleBody, request.body);
      if ((body.topk_prompt_logprobs ?? 0) > 0)
        throw new ApiError(400, "topk_prompt_logprobs is not offered by this engine; prompt_logprobs is");
      const sampler = await hub.samplerOf(body);
      const requests = requestsOf(body, hub, sampler.id, encode);
      // A request that is sent again keeps its result; the next turn under the same seq_id is another body.
      const digest = digestOf(JSON.stringify(body));
      const key = `${body.seq_id ?? ""}:${digest}`;
      const earlier = typeof body.seq_id === "number" ? sampler.sent.earlier(key, digest) : null;
      if (earlier !== null) return sampledAs(earlier, requests.length);
      const id = hub.futures.submit(sampler.owner, (signal) =>
        hub.snapshots.with(sampler.file, async (engine) => {
          const [samples, prompt] = await Promise.all([
            Promise.all(requests.map((one) => engine.sample(one, { signal }))),
            body.prompt_logprobs === true ? promptLogprobs(engine, tokensOf(body.prompt)) : null,
          ]);
          const response: SampleResponse = {
            sequences: samples.map(({ tokens, logprobs, stopReason }) => ({
              stop_reason: stopReason,
              tokens,
              logprobs,
            })),
            prompt_logprobs: prompt,
          };
          return { json: { type: "sample", ...response }, protobuf: () => encodeSampleResponse(response) };
        }),
      );
      if (typeof body.seq_id === "number") sampler.sent.remember(key, digest, id);
      return sampledAs(id, requests.length);
    },
  });
}
