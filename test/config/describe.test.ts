import { expect, test } from "vitest";
import { describeConfig, renderConfigMarkdown } from "../../src/config/describe.ts";
import { LEAVES } from "../../src/config/leaves.ts";
import { readConfig } from "../../src/config/load.ts";

test("every key has a description, a default and, when it is a quantity with a unit in its name, that unit", () => {
  expect(LEAVES.length).toBeGreaterThan(50);
  for (const leaf of LEAVES) {
    expect(leaf.description, leaf.path).toMatch(/\.$/);
    expect(leaf.default, leaf.path).toBeDefined();
    if (/(Ms|_ms)$/.test(leaf.path)) expect(leaf.unit, leaf.path).toBe("ms");
    if (/([bB]ytesMax|_bytes)$/.test(leaf.path)) expect(leaf.unit, leaf.path).toBe("bytes");
  }
});

test("environment names follow from the keys and are all different", () => {
  expect(LEAVES.find((leaf) => leaf.path === "http.bodyBytesMax")?.env).toBe("ROLLCALL_HTTP_BODY_BYTES_MAX");
  expect(LEAVES.find((leaf) => leaf.path === "limits.default.wall_ms")?.env).toBe(
    "ROLLCALL_LIMITS_DEFAULT_WALL_MS",
  );
  expect(new Set(LEAVES.map((leaf) => leaf.env)).size).toBe(LEAVES.length);
});

test("the table has every key with value and origin, and no secret", () => {
  const env = {
    ROLLCALL_HTTP_KEYS: '[{"name":"alice","key":"aaaaaaaaaaaaaaaa"}]',
    ROLLCALL_HTTP_PORT: "1234",
  };
  const table = describeConfig(readConfig({ argv: [], env, cwd: "/nonexistent" }));
  for (const leaf of LEAVES) expect(table).toContain(`${leaf.path} `);
  expect(table).toMatch(/http\.port +1234 +the environment variable ROLLCALL_HTTP_PORT/);
  expect(table).toContain("1 (alice)");
  expect(table).not.toContain("aaaaaaaaaaaaaaaa");
});

test("the page has every key", () => {
  const page = renderConfigMarkdown();
  for (const leaf of LEAVES) expect(page).toContain(`| \`${leaf.path}\` | \`${leaf.env}\` |`);
});
