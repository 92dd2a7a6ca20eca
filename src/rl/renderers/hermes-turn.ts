/**
 * A turn of a model that writes Hermes' tool format, read: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`,
 * the answer in `<answer>` with what counts in `\boxed{}`, thoughts in `<reason>` or `<think>`. A call that does not
 * parse becomes an error that the model is shown, worded so that it can do better.
 */
import type { ToolCall, Turn } from "../ports.ts";

type ParsedCall = Turn["toolCalls"][number];

/** Of a call's text that an error repeats. Characters. */
const SHOWN_MAX = 120;
const THOUGHT = /<(think|reason)>[\s\S]*?(?:<\/\1>|$)/g;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseCall(text: string): ParsedCall {
  const wrong = (why: string): ParsedCall => ({ parseError: `The tool call could not be parsed: ${why}` });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return wrong(
      `${(error as Error).message}. It must be one JSON object, {"name": ..., "arguments": {...}}.`,
    );
  }
  if (!isObject(value)) return wrong(`it is no JSON object: ${text.slice(0, SHOWN_MAX)}`);
  const { name, arguments: given = {} } = value;
  if (typeof name !== "string" || name === "") return wrong('"name" must be the name of a tool.');
  // Some models write the arguments as a JSON text inside the JSON.
  const parsed = typeof given === "string" ? parsedOrNull(given) : given;
  if (!isObject(parsed)) return wrong('"arguments" must be a JSON object.');
  return { name, arguments: parsed } satisfies ToolCall;
}

function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function toolCalls(text: string): ParsedCall[] {
  const calls: ParsedCall[] = [];
  const [, ...parts] = text.split("<tool_call>");
  for (const part of parts) {
    const end = part.indexOf("</tool_call>");
    if (end >= 0) calls.push(parseCall(part.slice(0, end).trim()));
    else
      calls.push({
        parseError: "The tool call could not be parsed: <tool_call> is not followed by </tool_call>.",
      });
  }
  return calls;
}

/** Content of the last `\boxed{...}` whose braces match, or null. */
export function lastBoxed(text: string): string | null {
  for (
    let at = text.lastIndexOf("\\boxed{");
    at >= 0;
    at = at === 0 ? -1 : text.lastIndexOf("\\boxed{", at - 1)
  ) {
    const start = at + "\\boxed{".length;
    let depth = 1;
    for (let end = start; end < text.length; end += 1) {
      const character = text[end];
      // An escaped brace is a character of the formula.
      if (character === "\\") end += 1;
      else if (character === "{") depth += 1;
      else if (character === "}" && (depth -= 1) === 0) return text.slice(start, end).trim();
    }
  }
  return null;
}

/** @param text of one turn, without the token that ended it */
export function parseHermesTurn(text: string): Turn {
  // What is thought about calling or answering is neither.
  const said = text.replaceAll(THOUGHT, "");
  const answers = [...said.matchAll(/<answer>([\s\S]*?)<\/answer>/g)].map(([, content = ""]) => content);
  const last = answers.at(-1);
  const answer = last === undefined ? lastBoxed(said) : (lastBoxed(last) ?? last.trim());
  return { text, toolCalls: toolCalls(said), answer, answers: answers.length };
}
