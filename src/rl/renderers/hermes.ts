/**
 * Conversations in the tool format of Qwen and Hermes, as the model's own chat template writes them.
 *
 * A template renders whole conversations; a rollout only ever appends. What it puts between a turn of the model and
 * the next is therefore found once, by rendering a conversation with marked contents, and is appended as tokens from
 * then on. So what the model sampled stays as it was sampled, and the whole is what the template would have written
 * wherever the template itself only appends. (Qwen 3's drops the thoughts of turns before the last question of the
 * user; in a rollout there is one question, so there it appends too.)
 *
 * A text of the model's user or of a program is never taken for a marker: `<|im_end|>` in a program's output is
 * encoded as the characters it is written with, not as the token that ends a turn.
 */
import type { Renderer } from "../ports.ts";
import { parseHermesTurn } from "./hermes-turn.ts";
import { type ModelDirectory, readModelDirectory } from "./model-directory.ts";

/** A tool as chat templates want it: a function of OpenAI's form with a JSON schema. */
export interface ToolSchema {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description: string;
    readonly parameters: Readonly<Record<string, unknown>>;
  };
}

/** The recipe's one tool. */
export const PYTHON_TOOL: ToolSchema = {
  type: "function",
  function: {
    name: "python",
    description:
      "Runs Python code and returns what it prints, or the value of its last expression. Nothing is kept between calls.",
    parameters: {
      type: "object",
      properties: { code: { type: "string", description: "The program." } },
      required: ["code"],
    },
  },
};

/** The recipe's instructions. */
export const HERMES_SYSTEM_PROMPT =
  "You are a helpful assistant that solves problems step by step. Reason inside <reason> and </reason>. " +
  "Call the tool when a computation or a check helps. " +
  "Give the final answer inside <answer> and </answer>, written as \\boxed{...}.";

export interface HermesOptions {
  /** With tokenizer.json, tokenizer_config.json and a chat template. */
  readonly directory: string;
  readonly tools: readonly ToolSchema[];
  /** Further variables of the template, e.g. `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

interface Message {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string;
}

/** Stands for a content that is put in afterwards; letters that no template changes. */
const MARK = ["ROLLCALLMARKA", "ROLLCALLMARKB", "ROLLCALLMARKC"] as const;

/** What the template writes around the tool responses. */
interface Frame {
  /** From the end of a turn's text, with what ends it, to the first response. */
  readonly before: string;
  readonly between: string;
  /** From the last response to where the model writes. */
  readonly after: string;
}

function render(model: ModelDirectory, options: HermesOptions, messages: readonly Message[]): string {
  return model.template.render({
    ...options.variables,
    messages,
    tools: options.tools.length === 0 ? null : options.tools,
    add_generation_prompt: true,
  });
}

function findFrame(model: ModelDirectory, options: HermesOptions): Frame {
  const text = render(model, options, [
    { role: "system", content: "s" },
    { role: "user", content: "u" },
    { role: "assistant", content: MARK[0] },
    { role: "tool", content: MARK[1] },
    { role: "tool", content: MARK[2] },
  ]);
  const [ends, starts] = [
    MARK.map((mark) => text.indexOf(mark) + mark.length),
    MARK.map((mark) => text.indexOf(mark)),
  ];
  if (starts.some((at) => at < 0))
    throw new Error("the chat template drops turns or tool responses: this format cannot be used with it");
  return {
    before: text.slice(ends[0], starts[1]),
    between: text.slice(ends[1], starts[2]),
    after: text.slice(ends[2]),
  };
}

/** A piece of a conversation: the template's, or what somebody wrote. */
type Piece = { readonly template: string } | { readonly content: string };

/**
 * Encodes pieces as the one text that they make, so that tokens form across their seams as the model knows them. In
 * contents each marker is cut in two and its halves encoded apart, which makes it a row of characters.
 */
function createEncoder({ tokenizer, markers }: ModelDirectory): (pieces: readonly Piece[]) => number[] {
  const ids = (text: string): number[] =>
    text === "" ? [] : tokenizer.encode(text, { add_special_tokens: false }).ids;
  const longestFirst = [...markers].sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map((marker) => marker.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`));
  const pattern = escaped.length === 0 ? null : new RegExp(escaped.join("|"), "g");
  return (pieces) => {
    const tokens: number[] = [];
    let pending = "";
    for (const piece of pieces) {
      if ("template" in piece) {
        pending += piece.template;
        continue;
      }
      let from = 0;
      for (const match of pattern === null ? [] : piece.content.matchAll(pattern)) {
        const middle = match.index + Math.ceil(match[0].length / 2);
        tokens.push(...ids(pending + piece.content.slice(from, middle)));
        pending = "";
        from = middle;
      }
      pending += piece.content.slice(from);
    }
    return [...tokens, ...ids(pending)];
  };
}

/** What the template writes around system prompt and problem. */
function findOpening(model: ModelDirectory, options: HermesOptions): readonly [string, string, string] {
  const text = render(model, options, [
    { role: "system", content: MARK[0] },
    { role: "user", content: MARK[1] },
  ]);
  const [atSystem, atPrompt] = [text.indexOf(MARK[0]), text.indexOf(MARK[1])];
  if (atSystem < 0 || atPrompt < atSystem) throw new Error("the chat template drops the system prompt");
  return [
    text.slice(0, atSystem),
    text.slice(atSystem + MARK[0].length, atPrompt),
    text.slice(atPrompt + MARK[1].length),
  ];
}

/**
 * @throws Error when the directory lacks a file, the template drops what it is given, or nothing is known to end a
 *   turn
 */
export async function createHermesRenderer(options: HermesOptions): Promise<Renderer> {
  const model = await readModelDirectory(options.directory);
  const { tokenizer, endIds } = model;
  const encode = createEncoder(model);
  const frame = findFrame(model, options);
  const [head, middle, tail] = findOpening(model, options);
  const ended = encode([{ template: frame.before }])[0];
  if (ended === undefined || !endIds.includes(ended))
    throw new Error(
      `${options.directory}: the chat template ends a turn with ${JSON.stringify(frame.before.slice(0, 20))}, ` +
        `the configuration with the ids ${endIds.join(", ")}`,
    );
  const decode = (tokens: readonly number[]): string =>
    tokenizer.decode([...tokens], { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  return {
    stop: endIds,
    open: ({ system, prompt }) =>
      encode([
        { template: head },
        { content: system },
        { template: middle },
        { content: prompt },
        { template: tail },
      ]),
    parse(tokens) {
      const last = tokens.at(-1);
      const isEnded = last !== undefined && endIds.includes(last);
      return parseHermesTurn(decode(isEnded ? tokens.slice(0, -1) : tokens));
    },
    respond({ stopReason }, responses) {
      const contents = responses.flatMap((content, at): Piece[] =>
        at === 0 ? [{ content }] : [{ template: frame.between }, { content }],
      );
      const tokens = encode([{ template: frame.before }, ...contents, { template: frame.after }]);
      // The model has written the token that ends its turn, unless it was cut.
      return stopReason === "stop" ? tokens.slice(1) : tokens;
    },
    decode,
  };
}
