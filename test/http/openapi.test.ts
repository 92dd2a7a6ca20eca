import type { TSchema } from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ERROR_CODES } from "../../src/contract/errors.ts";
import { ask } from "../support/ask.ts";
import { startServer, type TestServer } from "../support/server.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- an OpenAPI document
type Json = any;

let server: TestServer;
let document: Json;
beforeAll(async () => {
  server = await startServer();
  document = (await ask(`${server.url}/openapi.json`)).json;
});
afterAll(() => server.close());

/** The schema with every reference put in place. */
function inline(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(inline);
  if (typeof schema !== "object" || schema === null) return schema;
  if (typeof schema.$ref === "string") {
    const name = schema.$ref.replace("#/components/schemas/", "");
    expect(document.components.schemas).toHaveProperty(name);
    return inline(document.components.schemas[name]);
  }
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, inline(value)]));
}

const answerSchema = (method: string, path: string, status: number, type = "application/json"): TSchema =>
  inline(document.paths[path][method].responses[status].content[type].schema);

test("every error code is told by a route, with its status", () => {
  const told = new Map<string, Set<string>>();
  for (const path of Object.values<Json>(document.paths)) {
    for (const operation of Object.values<Json>(path)) {
      for (const [status, response] of Object.entries<Json>(operation.responses)) {
        for (const [, code] of response.description.matchAll(/`([a-z_]+)`/g))
          told.set(code, (told.get(code) ?? new Set()).add(status));
      }
    }
  }
  told.delete("code");
  for (const [code, { status }] of Object.entries(ERROR_CODES)) {
    expect(document.info.description).toContain(`| \`${code}\` | ${status} |`);
    if (code === "unreachable") continue;
    expect([...(told.get(code) ?? [])], code).toEqual([String(status)]);
  }
});

test("components have the contract's names", () => {
  expect(Object.keys(document.components.schemas)).toEqual(
    expect.arrayContaining(["Call", "Result", "Limits", "Error", "BatchLine", "Description"]),
  );
});

const ok = { runtime: "python", source: "1" };

test.each([
  ["post", "/v1/calls", ok, 200],
  ["post", "/v1/calls", { ...ok, x: 1 }, 400],
  ["post", "/v1/calls", { ...ok, source: "throw queue_full" }, 429],
  ["post", "/v1/calls", { ...ok, source: "crash" }, 500],
  ["post", "/v1/batches", { calls: [ok, ok] }, 200],
  ["post", "/v1/batches", { calls: [] }, 400],
  ["post", "/v1/verify", { kind: "exact", answer: "a", expected: "a" }, 200],
  [
    "post",
    "/v1/verify",
    { kind: "stdio", program: ok, cases: [{ expected_stdout: "1" }], with_results: true },
    200,
  ],
  ["post", "/v1/verify", { kind: "exact", answer: 1, expected: "a" }, 400],
  [
    "post",
    "/v1/verify",
    { kind: "stdio", program: { ...ok, source: "throw queue_full" }, cases: [{ expected_stdout: "" }] },
    429,
  ],
  ["post", "/v1/verify/batch", { verifications: [{ kind: "numeric", answer: 1, expected: 2 }] }, 200],
  ["post", "/v1/verify/batch", { verifications: [] }, 400],
  ["get", "/v1/info", undefined, 200],
  ["get", "/healthz", undefined, 200],
  ["get", "/readyz", undefined, 200],
])("%s %s %j answers %d as the document says", async (method, path, body, status) => {
  const answer = await ask(server.url + path, { body });
  expect(answer.status).toBe(status);
  expect(Value.Check(answerSchema(method, path, status), answer.json)).toBe(true);
});

test("each line of a stream is as the document says", async () => {
  const answer = await ask(`${server.url}/v1/batches`, {
    body: { calls: [ok, { ...ok, source: "break" }] },
    headers: { accept: "application/x-ndjson" },
  });
  const schema = answerSchema("post", "/v1/batches", 200, "application/x-ndjson");
  for (const line of answer.text.trimEnd().split("\n"))
    expect(Value.Check(schema, JSON.parse(line))).toBe(true);
});

test("the page to browse it has all its parts here", async () => {
  const page = await ask(`${server.url}/docs/`);
  const parts = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part]) => part as string);
  expect(parts.length).toBeGreaterThan(3);
  for (const part of parts) {
    expect(part).not.toMatch(/^(https?:)?\/\//);
    expect((await ask(new URL(part, `${server.url}/docs/`).href)).status, part).toBe(200);
  }
});
