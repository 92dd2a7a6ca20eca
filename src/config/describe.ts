/** The configuration for people: the table of `rollcall config` and the page docs/configuration.md. */
import { LEAVES, SECTIONS, type Leaf } from "./leaves.ts";
import type { LoadedConfig } from "./load.ts";

function valueAt(config: unknown, path: string): unknown {
  let at = config;
  for (const name of path.split(".")) at = (at as Record<string, unknown>)[name];
  return at;
}

function showValue(leaf: Leaf, value: unknown): string {
  if (leaf.secret) {
    const names = (value as { name: string }[]).map((key) => key.name);
    return names.length === 0 ? "none" : `${names.length} (${names.join(", ")})`;
  }
  if (leaf.kind === "names" && (value as readonly string[]).length === 0) return "none";
  return value === "" ? '""' : String(value);
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Every key with its value, unit, where the value comes from and what it means; secrets by name only. */
export function describeConfig(loaded: LoadedConfig): string {
  const rows = [["KEY", "VALUE", "UNIT", "FROM", "MEANING"]];
  for (const leaf of LEAVES) {
    const value = showValue(leaf, valueAt(loaded.config, leaf.path));
    rows.push([leaf.path, value, leaf.unit, loaded.origins.get(leaf.path) ?? "default", leaf.description]);
  }
  return `${loaded.file === null ? "No configuration file." : `File: ${loaded.file}`}\n\n${columns(rows)}\n`;
}

const cell = (text: string): string => text.replaceAll("|", "\\|");

/** The content of docs/configuration.md. */
export function renderConfigMarkdown(): string {
  const out = [
    "# Configuration",
    "",
    "This page is generated from `src/config/schema.ts`.",
    "",
    "A value comes from the first of: a flag, an environment variable, the configuration file, the default.",
    "The file is `rollcall.config.json`, `rollcall.config.yaml` or `rollcall.config.yml` in the working directory,",
    "or the one named by `--config` or `ROLLCALL_CONFIG`. A flag is `--` and the key: `--http.port 8707` or",
    "`--http.port=8707`; `--port`, `--host` and `--wire` are short for `--http.port`, `--http.host` and `--wire.adapters`. An",
    "unknown key is an error. A list of names is separated by commas: `--wire sandbox-fusion,code-judge`.",
    "`rollcall config` prints all keys with their present values and where each comes from.",
    "",
  ];
  for (const section of SECTIONS) {
    const leaves = LEAVES.filter((leaf) => leaf.path.slice(0, leaf.path.lastIndexOf(".")) === section.path);
    out.push(`## ${section.path}`, "", section.description, "");
    if (leaves.length === 0) continue;
    out.push("| Key | Environment | Default | Unit | Meaning |", "|---|---|---|---|---|");
    for (const leaf of leaves) {
      const value = leaf.secret ? "none" : `\`${showValue(leaf, leaf.default)}\``;
      const choices = (leaf.schema as { enum?: string[] }).enum;
      const meaning =
        choices === undefined
          ? leaf.description
          : `${leaf.description} One of ${choices.map((name) => `\`${name}\``).join(", ")}.`;
      out.push(`| \`${leaf.path}\` | \`${leaf.env}\` | ${value} | ${leaf.unit} | ${cell(meaning)} |`);
    }
    out.push("");
  }
  return out.join("\n");
}
