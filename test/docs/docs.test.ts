/** What the documentation says is so: tables, links, paths, promises, and what a reader would type. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderConfigMarkdown } from "../../src/config/describe.ts";
import { ERROR_CODES } from "../../src/contract/errors.ts";
import { OUTCOMES } from "../../src/contract/outcome.ts";
import { type Service, startService } from "../support/service.ts";
import { type Finished, run, runModule } from "./child.ts";
import { anchors, fencedBlocks, links, namedRows, pages, prose, readPage, root } from "./pages.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), "rollcall-docs-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("tables", () => {
  test("docs/errors.md has every code, as src/contract/errors.ts has it", () => {
    const comments = new Map(
      [...readPage("src/contract/errors.ts").matchAll(/\/\*\* (.*) \*\/\n {2}(\w+): \{ status/g)].map(
        (match) => [match[2], match[1]],
      ),
    );
    const rows = Object.entries(ERROR_CODES).map(([code, { status, fault, retryable }]) => [
      `\`${code}\``,
      String(status),
      fault,
      retryable ? "yes" : "no",
      comments.get(code),
    ]);
    const page = readPage("docs/errors.md");
    expect(namedRows(page.slice(page.indexOf("## Codes")))).toEqual(rows);
  });

  test("docs/configuration.md is what the schema makes of itself", async () => {
    await expect(renderConfigMarkdown()).toMatchFileSnapshot("../../docs/configuration.md");
  });

  test.each(["README.md", "docs/http-api.md"])("%s has every outcome, with whose doing it is", (file) => {
    const named = namedRows(readPage(file)).map(([name = "", whose]) => [name.slice(1, -1), whose]);
    const told = named.filter(([name = ""]) => Object.hasOwn(OUTCOMES, name));
    expect(Object.fromEntries(told)).toEqual(OUTCOMES);
  });
});

describe("references", () => {
  test("every link within the tree leads somewhere", () => {
    const broken = pages().flatMap((file) =>
      links(readPage(file))
        .filter((link) => !/^[a-z]+:/.test(link))
        .filter((link) => {
          const [target = "", anchor] = link.split("#");
          const found = target === "" ? file : path.join(path.dirname(file), target);
          if (!existsSync(path.join(root, found))) return true;
          return anchor !== undefined && !anchors(readPage(found)).has(anchor);
        })
        .map((link) => `${file}: ${link}`),
    );
    expect(broken).toEqual([]);
  });

  test("every path of this tree that a page names is there", () => {
    const named = /`((?:src|test|scripts|sandbox-images|workload|docs)(?:\/[\w.-]+)+)`/g;
    const missing = pages().flatMap((file) =>
      [...prose(readPage(file)).matchAll(named)]
        .map((match) => match[1] as string)
        .filter((name) => !existsSync(path.join(root, name)))
        .map((name) => `${file}: ${name}`),
    );
    expect(missing).toEqual([]);
  });

  test("every promise of SPECIFICATION.md names a test that is there, or says that none is", () => {
    const rows = readPage("SPECIFICATION.md").match(/^\| \d+ \|.*$/gm) ?? [];
    expect(rows.length).toBeGreaterThan(30);
    const unkept = rows.filter((row) => {
      if (row.includes("[pending]")) return false;
      const keepers = [...row.matchAll(/\[`([^`]+)`\]\((test\/[\w./-]+)\)/g)];
      return (
        keepers.length === 0 ||
        keepers.some(
          ([, name = "", file = ""]) => !existsSync(path.join(root, file)) || !readPage(file).includes(name),
        )
      );
    });
    expect(unkept).toEqual([]);
  });
});

describe("README.md", () => {
  test("shows in its first thirty lines what a newcomer looks for", () => {
    const head = readPage("README.md").split("\n").slice(0, 30).join("\n");
    for (const words of ["npm run demo", "createExecutor", "not protect"]) expect(head).toContain(words);
  });

  test("its commands are scripts of package.json", () => {
    const { scripts } = JSON.parse(readPage("package.json")) as { scripts: Record<string, string> };
    const commands = fencedBlocks(readPage("README.md"))
      .flatMap(({ text }) => text.split("\n"))
      .flatMap((line) => line.match(/^\$? ?npm (?:run )?([a-z]+)/)?.[1] ?? []);
    expect(commands).toEqual(expect.arrayContaining(["demo", "test", "start"]));
    expect(commands.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });

  test("the script behind its commands prepares the clone and starts an entry", async () => {
    const script = "scripts/run.mjs";
    expect(await run(process.execPath, [script])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("usage:") as string,
    });
    expect(await run(process.execPath, [script, "src/main.ts", "version"])).toEqual({
      code: 0,
      stdout: "0.1.0\n",
      stderr: "",
    });
    const help = await run(process.execPath, [script, "src/main.ts", "help"]);
    expect(help.stdout).toContain("Usage: rollcall <command>");
  });

  test("its library example does what it shows", async () => {
    const example = fencedBlocks(readPage("README.md")).find(
      ({ language, text }) => language === "js" && text.includes('from "rollcall"'),
    );
    const source = example?.text ?? "";
    expect(source.trim().split("\n")).toHaveLength(4);
    const shown = [...source.matchAll(/\/\/ (.+)$/gm)].map(([, said]) => `${said}\n`).join("");
    const { code, stdout, stderr } = await runModule(source, directory, path.join(directory, "loaded"));
    expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: "", stdout: shown });
  });
});

const WITH_EXAMPLES = ["README.md", "docs/http-api.md", "docs/sessions.md", "docs/verification.md"];

describe("over HTTP", () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.stop());

  test.each(WITH_EXAMPLES)("%s: its examples over HTTP are real", async (file) => {
    const blocks = fencedBlocks(readPage(file));
    const examples = blocks.flatMap(({ language, text }, at) => {
      const shown = blocks[at + 1];
      const hasAnswer = shown?.language === "json" || shown?.language === "ndjson";
      return language === "sh" && text.includes("curl ") && hasAnswer ? [{ command: text, shown }] : [];
    });
    expect(examples.length).toBeGreaterThan(1);
    for (const { command, shown } of examples) {
      const address = service.url.replace("http://", "");
      const { stdout }: Finished = await run("sh", ["-c", command.replaceAll("localhost:8707", address)]);
      const real = shown.language === "json" ? [stdout] : stdout.trim().split("\n");
      const told = shown.language === "json" ? [shown.text] : shown.text.trim().split("\n");
      expect(told.map(unmeasured), command).toEqual(real.map(unmeasured));
    }
  });
});

/** A JSON text without what differs from run to run: measured numbers and ids that the service drew. */
function unmeasured(text: string): unknown {
  return JSON.parse(text, (key, value: unknown) => {
    if (key === "usage" || key === "timing") return Object.keys(value as object);
    if (["wall_ms", "age_ms", "unused_ms"].includes(key)) return "measured";
    if (key === "id" && /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(String(value))) return "drawn";
    return value;
  }) as unknown;
}

test("importing the library loads no server, no metrics and no engine", async () => {
  const loaded = path.join(directory, "imported");
  const { code, stderr } = await runModule('import "rollcall";', directory, loaded);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const modules = readFileSync(loaded, "utf8").split("\n");
  expect(modules.some((url) => url.endsWith("/src/core/local-executor.ts"))).toBe(true);
  const unwanted =
    /node_modules\/(?:@?fastify|pino|prom-client|undici|isolated-vm)\b|\/src\/(?:http|observe|engines|client)\//;
  expect(modules.filter((url) => unwanted.test(url))).toEqual([]);
});
