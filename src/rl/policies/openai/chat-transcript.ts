/**
 * Conversations as text for endpoints that take messages and tell no token ids. A "token" here is a character of the
 * conversation, and a few private characters mark who speaks: enough for a rollout to be evaluated, too little to
 * train on. Sampler and renderer over it are each other's only users.
 */
import type { Renderer } from "../../ports.ts";
import { parseHermesTurn } from "../../renderers/hermes-turn.ts";

/** Of Unicode's private use planes: no text that is exchanged has them. */
const SPEAKERS = { system: 0x10_ff00, user: 0x10_ff01, assistant: 0x10_ff02, tool: 0x10_ff03 } as const;
/** Ends a turn of the model. */
export const END_OF_TURN = 0x10_ff0f;

type Speaker = keyof typeof SPEAKERS;

const SPEAKER_OF: ReadonlyMap<number, Speaker> = new Map(
  Object.entries(SPEAKERS).map(([speaker, mark]) => [mark, speaker as Speaker]),
);

const isMark = (code: number): boolean => code >= 0x10_ff00 && code <= 0x10_ff0f;

export const charactersOf = (text: string): number[] =>
  Array.from(text, (character) => character.codePointAt(0) ?? 0).filter((code) => !isMark(code));

function textOf(codes: readonly number[]): string {
  return codes.map((code) => (isMark(code) ? "" : String.fromCodePoint(code))).join("");
}

/** A message in OpenAI's form. */
export interface ChatMessage {
  readonly role: Speaker;
  readonly content: string;
  readonly tool_calls?: readonly ChatToolCall[];
  readonly tool_call_id?: string;
}

export interface ChatToolCall {
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: string };
}

/** What a model's calls look like in the text of its turn, so that one parser reads them all. */
export function toolCallText(name: string, argumentsText: string): string {
  let given: unknown = argumentsText;
  try {
    given = JSON.parse(argumentsText);
  } catch {
    // The parser tells the model what is wrong with it.
  }
  return `<tool_call>${JSON.stringify({ name, arguments: given })}</tool_call>`;
}

interface Said {
  readonly speaker: Speaker;
  readonly text: string;
}

function speeches(codes: readonly number[]): Said[] {
  const said: Said[] = [];
  let from = 0;
  for (let at = 0; at <= codes.length; at += 1) {
    if (at < codes.length && !SPEAKER_OF.has(codes[at] as number)) continue;
    const speaker = SPEAKER_OF.get(codes[from] as number);
    if (speaker !== undefined && at > from) said.push({ speaker, text: textOf(codes.slice(from + 1, at)) });
    from = at;
  }
  return said;
}

/** Messages that a conversation of this form stands for; the last mark, where the model writes, is none. */
export function messagesOf(codes: readonly number[]): ChatMessage[] {
  const messages: ChatMessage[] = [];
  const all = speeches(codes);
  const last = all.at(-1);
  if (last?.speaker === "assistant" && last.text === "") all.pop();
  let open: string[] = [];
  for (const [turn, { speaker, text }] of all.entries()) {
    if (speaker === "assistant") {
      const calls = parseHermesTurn(text).toolCalls;
      // A call that did not parse has no id that a response could name: the whole turn stays text.
      const isText = calls.length === 0 || calls.some((call) => "parseError" in call);
      const tool_calls = calls.flatMap((call, at): ChatToolCall[] =>
        "parseError" in call
          ? []
          : [
              {
                id: `call_${turn}_${at}`,
                type: "function",
                function: { name: call.name, arguments: JSON.stringify(call.arguments) },
              },
            ],
      );
      open = isText ? [] : tool_calls.map(({ id }) => id);
      const content = isText ? text : text.replaceAll(/<tool_call>[\s\S]*?<\/tool_call>/g, "").trim();
      messages.push({ role: "assistant", content, ...(isText ? {} : { tool_calls }) });
    } else if (speaker === "tool") {
      const id = open.shift();
      messages.push(
        id === undefined
          ? { role: "user", content: text }
          : { role: "tool", content: text, tool_call_id: id },
      );
    } else if (text !== "" || speaker === "user") messages.push({ role: speaker, content: text });
  }
  return messages;
}

/** @returns the renderer of conversations of this form; it has no state */
export function createChatRenderer(): Renderer {
  return {
    stop: [END_OF_TURN],
    open: ({ system, prompt }) => [
      ...(system === "" ? [] : [SPEAKERS.system, ...charactersOf(system)]),
      SPEAKERS.user,
      ...charactersOf(prompt),
      SPEAKERS.assistant,
    ],
    parse: (codes) => parseHermesTurn(textOf(codes)),
    respond: (_, responses) => [
      ...responses.flatMap((text) => [SPEAKERS.tool, ...charactersOf(text)]),
      SPEAKERS.assistant,
    ],
    decode: textOf,
  };
}
