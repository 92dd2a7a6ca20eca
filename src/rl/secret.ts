/** A secret as a recipe names it: one that begins with $ is taken from the environment. @throws Error without it */
export function secretOf(text: string): string {
  if (!text.startsWith("$")) return text;
  const value = process.env[text.slice(1)];
  if (value === undefined) throw new Error(`${text.slice(1)} is not in the environment`);
  return value;
}

/** The same as an option that is absent when nothing is named. */
export function keyOf(text: string): { readonly key?: string } {
  return text === "" ? {} : { key: secretOf(text) };
}
