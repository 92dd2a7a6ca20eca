/**
 * The code in a completion, as SandboxFusion's judge finds it: the first closed fence of the language, or of any; else
 * an open fence; else what looks like code. In time proportional to the completion, whatever is in it.
 */

const FENCE = "```";

/** Names after a fence that stand for a language of the API. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  python: ["python", "Python", "py", "Python3", "python3", "PY"],
  cpp: ["cpp", "c++", "C++", "Cpp", "CPP"],
  // `javascript` and `JavaScript` stand for another language of its table.
  nodejs: ["JS", "js"],
  bash: ["bash", "Bash", "BASH", "sh", "shell"],
};

interface Block {
  readonly tag: string;
  readonly code: string;
}

const isSpace = (character: string | undefined): boolean => character !== undefined && /\s/.test(character);

/** The first line end of the white space before `end`, not before `start`; -1 when there is none. */
function lineEndBefore(text: string, start: number, end: number): number {
  let found = -1;
  for (let at = end - 1; at >= start && isSpace(text[at]); at--) if (text[at] === "\n") found = at;
  return found;
}

/** Fences that are closed by one on a line of its own. */
function closedBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  let open = text.indexOf(FENCE);
  while (open >= 0) {
    const head = text.indexOf("\n", open);
    if (head < 0) break;
    let end = text.indexOf(FENCE, head + 1);
    let codeEnd = -1;
    while (end >= 0) {
      codeEnd = lineEndBefore(text, head + 1, end);
      if (codeEnd >= 0) break;
      end = text.indexOf(FENCE, end + 1);
    }
    // Nothing after this closes a fence any more.
    if (end < 0) break;
    blocks.push({ tag: text.slice(open + FENCE.length, head).trim(), code: text.slice(head + 1, codeEnd) });
    open = text.indexOf(FENCE, end + FENCE.length);
  }
  return blocks;
}

/** A fence that nothing closes. */
function openBlock(text: string): Block[] {
  const open = text.indexOf(FENCE);
  const head = open < 0 ? -1 : text.indexOf("\n", open);
  if (head < 0) return [];
  return [{ tag: text.slice(open + FENCE.length, head).trim(), code: text.slice(head + 1) }];
}

const HEADER = /^(?:import|from|#)[^\n]/;
const DEFINITION = /^(?:def|class) [^\n]/;
const INDENTED = /^\s+[^\n]/;

/** Functions and classes with the imports and comments directly above them. */
function pythonBlocks(text: string): Block[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length;) {
    const start = at;
    while (HEADER.test(lines[at] ?? "")) at += 1;
    const isDefinition = DEFINITION.test(lines[at] ?? "");
    at += 1;
    if (!isDefinition) continue;
    const body = at;
    while (INDENTED.test(lines[at] ?? "")) at += 1;
    if (at > body) blocks.push({ tag: "python", code: `${lines.slice(start, at).join("\n")}\n` });
  }
  return blocks;
}

function blocksThatLookLikeCode(text: string, language: string): Block[] {
  if (language === "python") return pythonBlocks(text);
  if (language !== "bash") return [];
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return [{ tag: "bash", code: `${lines.join("\n")}\n` }];
}

/** The code to be judged; empty when there is none. */
export function extractCode(completion: string, language: string): string {
  const names = ALIASES[language] ?? [language];
  for (const find of [closedBlocks, openBlock, blocksThatLookLikeCode]) {
    const blocks = find(completion, language);
    const chosen = blocks.find(({ tag }) => names.includes(tag)) ?? blocks[0];
    if (chosen !== undefined) return chosen.code;
  }
  return "";
}
