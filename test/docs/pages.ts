/** The documentation as data: pages, links, fenced blocks, tables. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";

export const root = path.resolve(import.meta.dirname, "../..");

export const readPage = (file: string): string => readFileSync(path.join(root, file), "utf8");

/** Every Markdown page of the tree, those not yet committed included. */
export function pages(): string[] {
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "-z", "*.md"], {
    cwd: root,
    encoding: "utf8",
  });
  return listed.split("\0").filter((file) => file !== "");
}

export interface Block {
  /** What follows the opening fence. */
  readonly language: string;
  readonly text: string;
}

export function fencedBlocks(page: string): Block[] {
  return [...page.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, language = "", text = ""]) => ({
    language,
    text,
  }));
}

/** Text outside of fenced blocks. */
export const prose = (page: string): string => page.replaceAll(/^```.*\n[\s\S]*?^```$/gm, "");

/** Targets of the page's links, images included. */
export function links(page: string): string[] {
  return [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string);
}

/** Names by which a heading of the page can be linked to. */
export function anchors(page: string): Set<string> {
  const headings = [...prose(page).matchAll(/^#+ (.+)$/gm)].map((match) => match[1] as string);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** Cells of every table row whose first cell is a name in backquotes. */
export function namedRows(page: string): string[][] {
  return [...page.matchAll(/^\| `[^`]+` \|.*\|$/gm)].map((match) =>
    match[0]
      .slice(2, -2)
      .split(" | ")
      .map((cell) => cell.trim()),
  );
}
