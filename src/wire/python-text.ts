/** Texts as Python has, counts and strips them. */

/** Last line of a program's stderr where the original's programs meet their memory limit by an exception; ours the kernel ends. */
export const MEMORY_ERROR = "MemoryError\n";

/** The first characters of a text as Python counts them: a character beyond the basic plane is one. */
export function firstCharacters(text: string, count: number): string {
  if (text.length <= count) return text;
  let end = 0;
  for (let taken = 0; taken < count && end < text.length; taken++)
    end += (text.codePointAt(end) as number) > 0xffff ? 2 : 1;
  return text.slice(0, end);
}

/** What Python's `str.strip` takes away, which is not quite what `trim` does. */
const SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const LEADING_SPACE = new RegExp(`^${SPACE}+`);
const IS_SPACE = new RegExp(SPACE);

export function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && IS_SPACE.test(text[end - 1] as string)) end--;
  return text.slice(0, end);
}

export function strip(text: string): string {
  return stripEnd(text).replace(LEADING_SPACE, "");
}
