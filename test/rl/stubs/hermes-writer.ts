/** A model of the Hermes format that is a few lines: it computes with the tool, and not always the right thing. */
import { createHermesRenderer, PYTHON_TOOL } from "../../../src/rl/renderers/hermes.ts";
import { readModelDirectory } from "../../../src/rl/renderers/model-directory.ts";
import { hashOf } from "../../../src/rl/random.ts";
import type { Write } from "./inference-core.ts";

const SIGNS: Readonly<Record<string, string>> = { plus: "+", minus: "-", times: "*" };

function say(conversation: string, seed: number | null): string {
  const [, a = "0", word = "plus", b = "0"] =
    /What is (\d+) (plus|minus|times) (\d+)\?/.exec(conversation) ?? [];
  const call = (code: string): string =>
    `<reason>I compute it.</reason>\n<tool_call>\n${JSON.stringify({ name: "python", arguments: { code } })}\n</tool_call><|im_end|>`;
  const right = `print(${a} ${SIGNS[word]} ${b})`;
  const [, response] =
    [...conversation.matchAll(/<tool_response>\n([\s\S]*?)\n<\/tool_response>/g)].at(-1) ?? [];
  // Some copy the words into the program first, some compute something else.
  const kind = hashOf("kind", seed ?? 0) % 3;
  if (response === undefined)
    return call(kind === 0 ? `print(${a} ${word} ${b})` : kind === 1 ? `print(${a}0)` : right);
  if (response.includes("SyntaxError")) return call(right);
  return `<answer>\\boxed{${response}}</answer><|im_end|>`;
}

/** @param directory of the model's tokenizer and template */
export async function createHermesWriter(directory: string): Promise<Write> {
  const { tokenizer } = await readModelDirectory(directory);
  const renderer = await createHermesRenderer({ directory, tools: [PYTHON_TOOL] });
  return (prompt, seed) =>
    tokenizer.encode(say(renderer.decode(prompt), seed), { add_special_tokens: false }).ids;
}
