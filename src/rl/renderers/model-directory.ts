/** Tokenizer and chat template of a model, from a directory as the hub's snapshots and `save_pretrained` lay it out. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { Template } from "@huggingface/jinja";
import { Tokenizer } from "@huggingface/tokenizers";

export interface ModelDirectory {
  readonly tokenizer: Tokenizer;
  readonly template: Template;
  /** Ids that the model's configuration says end its turn. */
  readonly endIds: readonly number[];
  /** Texts that the tokenizer takes for one token wherever they stand, `<|im_end|>` among them. */
  readonly markers: readonly string[];
}

interface TokenizerConfig {
  readonly chat_template?: string | readonly { readonly name: string; readonly template: string }[];
  readonly eos_token?: string | { readonly content: string } | null;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** A file of its own comes first, as in transformers; of several templates the default, or the first. */
async function templateText(directory: string, config: TokenizerConfig): Promise<string> {
  const own = await readIfThere(path.join(directory, "chat_template.jinja"));
  if (own !== null) return own;
  const told = config.chat_template;
  const text =
    typeof told === "string" ? told : (told?.find(({ name }) => name === "default") ?? told?.[0])?.template;
  if (text === undefined)
    throw new Error(
      `${directory} has no chat template: neither chat_template.jinja nor chat_template in tokenizer_config.json`,
    );
  return text;
}

async function generationEnds(directory: string): Promise<readonly number[]> {
  const text = await readIfThere(path.join(directory, "generation_config.json"));
  if (text === null) return [];
  const ids = (JSON.parse(text) as { eos_token_id?: number | readonly number[] | null }).eos_token_id ?? [];
  return typeof ids === "number" ? [ids] : ids;
}

/** @throws Error that names the file that is missing or cannot be read */
export async function readModelDirectory(directory: string): Promise<ModelDirectory> {
  const [json, config, ends] = await Promise.all([
    readJson(path.join(directory, "tokenizer.json")) as Promise<{
      added_tokens?: readonly { content: string }[];
    }>,
    readJson(path.join(directory, "tokenizer_config.json")) as Promise<TokenizerConfig>,
    generationEnds(directory),
  ]);
  const tokenizer = new Tokenizer(json, config);
  const eos = typeof config.eos_token === "string" ? config.eos_token : config.eos_token?.content;
  const eosId = eos === undefined ? undefined : tokenizer.token_to_id(eos);
  return {
    tokenizer,
    template: new Template(await templateText(directory, config)),
    endIds: [...new Set([...(eosId === undefined ? [] : [eosId]), ...ends])],
    markers: (json.added_tokens ?? []).map(({ content }) => content).filter((content) => content.length > 1),
  };
}
