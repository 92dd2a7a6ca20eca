/**
 * Any endpoint of OpenAI's chat completions with tools, for evaluation: OpenAI's own, vLLM's, SGLang's, llama.cpp's,
 * Ollama's. It gives no token ids, so its log probabilities are told as 0 and its "tokens" are characters
 * ({@link createChatRenderer}); nothing can be trained on them.
 */
import { EngineError, type Sample, type SampleRequest, type Sampler } from "../../ports.ts";
import type { ToolSchema } from "../../renderers/hermes.ts";
import { unusable } from "../checked-reply.ts";
import { charactersOf, END_OF_TURN, messagesOf, toolCallText } from "./chat-transcript.ts";
import { accepted, createEndpoint, jsonOf } from "../endpoint.ts";
import { bearer, SAMPLE_TIMEOUT_MS } from "../inference-engine.ts";

export interface OpenAiOptions {
  /** What comes before `/chat/completions`, e.g. `http://127.0.0.1:8000/v1`. */
  readonly baseUrl: string;
  readonly key?: string;
  readonly model: string;
  readonly tools: readonly ToolSchema[];
  /** Tokens that one turn may have; the endpoint counts these, the loop characters. Default 4096. */
  readonly turnTokensMax?: number;
  /** Characters of a whole conversation. Default 400,000. */
  readonly contextCharacters?: number;
  /** Further fields of every request, e.g. `reasoning_effort`. */
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly timeoutMs?: number;
}

interface ChatCompletion {
  readonly choices?: readonly {
    readonly finish_reason?: string | null;
    readonly message?: {
      readonly content?: string | null;
      readonly tool_calls?:
        | readonly { readonly function: { readonly name: string; readonly arguments: string } }[]
        | null;
    };
  }[];
}

export interface OpenAiSampler extends Sampler {
  close(): Promise<void>;
}

const PATH = "/chat/completions";

/** The turn as text, and whether the model ended it itself. */
function turnOf(what: string, reply: ChatCompletion): { readonly text: string; readonly isEnded: boolean } {
  const choice = reply.choices?.[0];
  if (choice?.message === undefined) throw unusable(what, "it holds no message");
  const calls = choice.message.tool_calls ?? [];
  const parts = [
    choice.message.content ?? "",
    ...calls.map((call) => toolCallText(call.function.name, call.function.arguments)),
  ];
  return { text: parts.filter((part) => part !== "").join("\n"), isEnded: choice.finish_reason !== "length" };
}

export function createOpenAiSampler(options: OpenAiOptions): OpenAiSampler {
  const endpoint = createEndpoint({ baseUrl: options.baseUrl, headers: bearer(options.key) });
  const contextTokens = options.contextCharacters ?? 400_000;
  const ask = async (request: SampleRequest, signal: AbortSignal | undefined): Promise<ChatCompletion> => {
    const answer = await endpoint.ask({
      path: PATH,
      body: {
        model: options.model,
        messages: messagesOf(request.prompt),
        ...(options.tools.length === 0 ? {} : { tools: options.tools }),
        max_tokens: Math.min(options.turnTokensMax ?? 4096, request.maxTokens),
        temperature: request.temperature,
        top_p: request.topP ?? 1,
        ...(request.seed === undefined ? {} : { seed: request.seed }),
        ...options.extra,
      },
      signal,
      timeoutMs: options.timeoutMs ?? SAMPLE_TIMEOUT_MS,
    });
    return jsonOf(endpoint.name, PATH, accepted(endpoint.name, PATH, answer)) as ChatCompletion;
  };
  return {
    contextTokens,
    async sample(request, sampleOptions): Promise<Sample> {
      if (request.prompt.length >= contextTokens)
        throw new EngineError(`the conversation has more than ${contextTokens} characters`, {
          retryable: false,
        });
      const { text, isEnded } = turnOf(endpoint.name + PATH, await ask(request, sampleOptions?.signal));
      const written = [...charactersOf(text), ...(isEnded ? [END_OF_TURN] : [])];
      const tokens = written.slice(0, request.maxTokens);
      return {
        tokens,
        logprobs: tokens.map(() => 0),
        stopReason: isEnded && tokens.length === written.length ? "stop" : "length",
        weightsVersion: 0,
      };
    },
    close: () => endpoint.close(),
  };
}
