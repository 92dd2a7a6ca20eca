/** A real HTTP server that speaks the part of vLLM's API, and of its metrics, that a rollout uses. */
import {
  createStubServer,
  goneSignal,
  hasAdapter,
  scoresOf,
  type InferenceStub,
  type StubOptions,
} from "./http-stub.ts";
import { InferenceCore } from "./inference-core.ts";

const BLOCK_TOKENS = 16;

function metricsText(core: InferenceCore, model: string): string {
  const labels = `engine="0",model_name="${model}"`;
  const blocks = Math.floor(core.speeds.kvTokens / BLOCK_TOKENS);
  return [
    "# HELP vllm:num_requests_running Number of requests in model execution batches.",
    "# TYPE vllm:num_requests_running gauge",
    `vllm:num_requests_running{${labels}} ${core.running.length}.0`,
    "# TYPE vllm:num_requests_waiting gauge",
    `vllm:num_requests_waiting{${labels}} ${core.waiting.length}.0`,
    "# TYPE vllm:kv_cache_usage_perc gauge",
    `vllm:kv_cache_usage_perc{${labels}} ${core.kvUsage}`,
    "# TYPE vllm:num_preemptions_total counter",
    `vllm:num_preemptions_total{${labels}} ${core.preemptions}.0`,
    "# TYPE vllm:cache_config_info gauge",
    `vllm:cache_config_info{block_size="${BLOCK_TOKENS}",cache_dtype="auto",engine="0",num_gpu_blocks="${blocks}"} 1.0`,
    "",
  ].join("\n");
}

const notFound = (message: string) => ({ error: { message, type: "NotFoundError", param: null, code: 404 } });

interface Completion {
  readonly model: string;
  readonly prompt: number[];
  readonly max_tokens: number;
  readonly temperature?: number;
  readonly seed?: number;
  readonly stop_token_ids?: number[];
  readonly return_token_ids?: boolean;
}

export async function startVllmStub(options: StubOptions = {}): Promise<InferenceStub> {
  const base = options.model ?? "stub";
  const core = new InferenceCore(options.speeds, options.write);
  const stub = createStubServer(options);
  const { app, adapters } = stub;

  app.get("/v1/models", () => ({
    object: "list",
    data: [base, ...adapters.keys()].map((id) => ({ id, object: "model", max_model_len: 4096 })),
  }));
  app.get("/metrics", (_, reply) => reply.type("text/plain; version=0.0.4").send(metricsText(core, base)));

  app.post<{ Body: Completion }>("/v1/completions", async (request, reply) => {
    if (stub.met(request, reply)) return reply;
    const { body } = request;
    if (body.model !== base && !adapters.has(body.model))
      return reply.code(404).send(notFound(`The model \`${body.model}\` does not exist.`));
    const { tokens, logprobs, finish } = await core.generate({
      prompt: body.prompt,
      maxTokens: body.max_tokens,
      temperature: body.temperature ?? 1,
      stop: body.stop_token_ids ?? [],
      seed: body.seed ?? null,
      adapter: body.model,
      scores: scoresOf(options, adapters.get(body.model)),
      signal: goneSignal(reply),
    });
    const choice = {
      index: 0,
      text: tokens.join(" "),
      token_ids: body.return_token_ids === true ? tokens : undefined,
      logprobs: {
        token_logprobs: logprobs,
        tokens: tokens.map((id) => `token_id:${id}`),
        top_logprobs: null,
      },
      finish_reason: finish,
      stop_reason: finish === "stop" ? tokens.at(-1) : null,
    };
    return { id: "cmpl-1", object: "text_completion", model: body.model, choices: [choice] };
  });

  app.post<{ Body: { lora_name: string; lora_path: string; load_inplace?: boolean } }>(
    "/v1/load_lora_adapter",
    (request, reply) => {
      const { lora_name, lora_path, load_inplace } = request.body;
      if (adapters.has(lora_name) && load_inplace !== true)
        return reply.code(400).send(notFound(`The lora adapter '${lora_name}' has already been loaded.`));
      if (!hasAdapter(options, lora_path))
        return reply
          .code(404)
          .send(notFound(`Loading lora ${lora_name} failed: No adapter found for ${lora_path}`));
      adapters.set(lora_name, lora_path);
      return reply.send(`Success: LoRA adapter '${lora_name}' added successfully.`);
    },
  );
  app.post<{ Body: { lora_name: string } }>("/v1/unload_lora_adapter", (request, reply) => {
    if (!adapters.delete(request.body.lora_name))
      return reply.code(404).send(notFound(`The lora adapter '${request.body.lora_name}' cannot be found.`));
    return reply.send("Success");
  });
  return stub.listen(core);
}
