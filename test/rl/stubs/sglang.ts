/** A real HTTP server that speaks the part of SGLang's API, and of its metrics, that a rollout uses. */
import {
  createStubServer,
  goneSignal,
  hasAdapter,
  scoresOf,
  type InferenceStub,
  type StubOptions,
} from "./http-stub.ts";
import { InferenceCore } from "./inference-core.ts";

function metricsText(core: InferenceCore, model: string): string {
  const labels = `model_name="${model}",tp_rank="0"`;
  return [
    "# TYPE sglang:num_running_reqs gauge",
    `sglang:num_running_reqs{${labels}} ${core.running.length}.0`,
    "# TYPE sglang:num_queue_reqs gauge",
    `sglang:num_queue_reqs{${labels}} ${core.waiting.length}.0`,
    "# TYPE sglang:token_usage gauge",
    `sglang:token_usage{${labels}} ${core.kvUsage}`,
    "# TYPE sglang:num_retracted_reqs gauge",
    `sglang:num_retracted_reqs{${labels}} ${core.preemptions}.0`,
    "# TYPE sglang:max_total_num_tokens gauge",
    `sglang:max_total_num_tokens{${labels}} ${core.speeds.kvTokens}.0`,
    "",
  ].join("\n");
}

interface Generate {
  readonly input_ids: number[];
  readonly lora_path?: string;
  readonly sampling_params: {
    readonly max_new_tokens: number;
    readonly temperature: number;
    readonly stop_token_ids?: number[];
    readonly sampling_seed?: number;
  };
}

export async function startSglangStub(options: StubOptions = {}): Promise<InferenceStub> {
  const core = new InferenceCore(options.speeds, options.write);
  const stub = createStubServer(options);
  const { app, adapters } = stub;

  app.get("/metrics", (_, reply) =>
    reply.type("text/plain; version=0.0.4").send(metricsText(core, options.model ?? "stub")),
  );

  app.post<{ Body: Generate }>("/generate", async (request, reply) => {
    if (stub.met(request, reply)) return reply;
    const { input_ids, lora_path, sampling_params } = request.body;
    if (lora_path !== undefined && !adapters.has(lora_path))
      return reply
        .code(400)
        .send({ error: { message: `The following requested LoRA adapters are not loaded: ${lora_path}` } });
    const { tokens, logprobs, finish } = await core.generate({
      prompt: input_ids,
      maxTokens: sampling_params.max_new_tokens,
      temperature: sampling_params.temperature,
      stop: sampling_params.stop_token_ids ?? [],
      seed: sampling_params.sampling_seed ?? null,
      adapter: lora_path ?? "base",
      scores: scoresOf(options, adapters.get(lora_path ?? "")),
      signal: goneSignal(reply),
    });
    const matched = finish === "stop" ? { type: "stop", matched: tokens.at(-1) } : { type: finish };
    return {
      text: tokens.join(" "),
      // As SGLang does, the matched stop token is left out here and is in the log probabilities.
      output_ids: finish === "stop" ? tokens.slice(0, -1) : tokens,
      meta_info: {
        finish_reason: matched,
        prompt_tokens: input_ids.length,
        completion_tokens: tokens.length,
        output_token_logprobs: tokens.map((id, at) => [logprobs[at], id, null]),
      },
    };
  });

  app.post<{ Body: { lora_name: string; lora_path: string } }>("/load_lora_adapter", (request, reply) => {
    const { lora_name, lora_path } = request.body;
    const refused = adapters.has(lora_name)
      ? `LoRA adapter ${lora_name} is already loaded.`
      : !hasAdapter(options, lora_path)
        ? `Can't find 'adapter_config.json' at '${lora_path}'`
        : null;
    if (refused === null) adapters.set(lora_name, lora_path);
    return reply.code(refused === null ? 200 : 400).send({
      success: refused === null,
      error_message: refused ?? "",
      loaded_adapters: Object.fromEntries(adapters),
    });
  });
  app.post<{ Body: { lora_name: string } }>("/unload_lora_adapter", (request, reply) => {
    const was = adapters.delete(request.body.lora_name);
    return reply.code(was ? 200 : 400).send({ success: was, error_message: was ? "" : "not loaded" });
  });
  return stub.listen(core);
}
