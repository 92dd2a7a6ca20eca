/**
 * The language of a model too small for words: one token for each character, a few of them with a meaning.
 *
 * ```
 * #sr abcd?<'abcd'[::-1]>{'dcba'}=dcba;
 * └problem┘└──tool call─┘└response┘└answer┘
 * ```
 *
 * `<` code `>` is a call of the Python tool and `=` text `;` the answer; both end the model's turn. The environment
 * writes `{` response `}`, after which the model goes on: another call (after `{!n}`, a NameError, it may try again) or
 * the answer. What a turn holds besides is thought aloud and means nothing.
 */
import type { Renderer, StopReason, Turn } from "../ports.ts";

/** Never sampled on purpose: what shorter sequences of a batch are filled with. Its id is 0. */
export const TINY_PAD = "\0";

/** Token id = place in this list. 64 tokens. */
export const TINY_VOCABULARY: readonly string[] = [
  TINY_PAD,
  ..."#?<>{}=;! +-*/%^:,.'()[]_|&0123456789abcdefghijklmnopqrstuvwxyz".split(""),
];

const IDS: ReadonlyMap<string, number> = new Map(TINY_VOCABULARY.map((character, id) => [character, id]));

/** Longest tool response that is shown, in tokens without its braces; the rest is cut. */
export const TINY_RESPONSE_TOKENS_MAX = 12;

/** Token ids of a text; characters outside the vocabulary, capitals made small, are left out. */
export function encodeTiny(text: string): number[] {
  const ids: number[] = [];
  for (const character of text) {
    const id = IDS.get(character) ?? IDS.get(character.toLowerCase());
    if (id !== undefined && id !== 0) ids.push(id);
  }
  return ids;
}

export function decodeTiny(tokens: readonly number[]): string {
  return tokens.map((id) => (id === 0 ? "" : (TINY_VOCABULARY[id] ?? ""))).join("");
}

/** Characters that open, close or answer can be no part of what is said between them. */
function plain(text: string): string {
  return text.replaceAll(/[#?<>{}=;]/g, "").trim();
}

function parseTiny(tokens: readonly number[]): Turn {
  const text = decodeTiny(tokens);
  const open = text.indexOf("<");
  const close = text.indexOf(">");
  if (close >= 0 || open >= 0) {
    const code = open >= 0 && close > open ? text.slice(open + 1, close).trim() : "";
    const told = open < 0 ? "> without <" : close < open ? "< without >" : code === "" ? "empty call" : null;
    const call = told === null ? { name: "python", arguments: { code } } : { parseError: told };
    return { text, toolCalls: [call], answer: null, answers: 0 };
  }
  const parts = text.endsWith(";") ? text.slice(0, -1).split("=").slice(1) : [];
  return { text, toolCalls: [], answer: parts.at(-1) ?? null, answers: parts.length };
}

function respondTiny({ stopReason }: { readonly stopReason: StopReason }, responses: readonly string[]) {
  // A turn that was cut has no closing mark; the response closes it all the same.
  const shown = responses.map((text) => plain(text).slice(0, TINY_RESPONSE_TOKENS_MAX));
  return encodeTiny((stopReason === "stop" ? "" : ">") + shown.map((text) => `{${text}}`).join(""));
}

/** @returns the renderer of the tiny language; it has no state. */
export function createTinyRenderer(): Renderer {
  return {
    open: ({ prompt }) => encodeTiny(`#${plain(prompt)}?`),
    stop: encodeTiny(">;"),
    parse: parseTiny,
    respond: respondTiny,
    decode: decodeTiny,
  };
}
