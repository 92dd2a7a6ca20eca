/** The viewer in a real browser: a run with hostile transcripts, served and as one file. */
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunDirectory } from "../../../src/rl/loop/run-directory.ts";
import { runView } from "../../../src/rl/view/command.ts";
import { exportPage } from "../../../src/rl/view/export.ts";
import { serveRuns, type ViewServer } from "../../../src/rl/view/server.ts";

const CHROMIUM = "/usr/bin/chromium";
const INSTALL = "apt-get install -y --no-install-recommends chromium";
const HOSTILE = `</script><script>window.owned=1</script><img src=x onerror="window.owned=1">`;

/** Debian's browser; where it is missing root brings it. */
function findChromium(): string | null {
  if (existsSync(CHROMIUM)) return CHROMIUM;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return null;
  try {
    execFileSync("/bin/sh", ["-c", `apt-get update -q && DEBIAN_FRONTEND=noninteractive ${INSTALL}`], {
      stdio: "ignore",
    });
  } catch {
    return null;
  }
  return existsSync(CHROMIUM) ? CHROMIUM : null;
}

function rollout(group: number, index: number) {
  const isError = index === 1;
  const call = {
    code: `print(${group})`,
    outcome: isError ? "failed" : "completed",
    isError,
    response: isError ? "NameError" : HOSTILE,
    latencyMs: 12.4,
    queuedMs: 1,
  };
  return {
    group,
    index,
    advantage: index === 2 ? null : 0.5,
    problem: { id: `problem-${group}`, family: "test", prompt: HOSTILE, answer: "42" },
    turns: [{ text: HOSTILE, stopReason: "stop", calls: [call] }],
    ending: "finished",
    answer: index === 0 ? "42" : null,
    reward: index === 2 ? null : index === 0 ? 1 : 0,
    excluded: index === 2 ? "the sandbox failed" : null,
    weightsVersions: [1, 1],
    text: `${HOSTILE} number ${group} ${index}`,
    tokens: { prompt: 5, response: 10 * (group + 1) + index, written: 8 },
  };
}

async function makeRun(directory: string): Promise<string> {
  const run = new RunDirectory(directory);
  await run.writeConfig({ evaluation: { attempts: 2 }, note: HOSTILE });
  for (let step = 1; step <= 3; step += 1) {
    const metrics = {
      "reward/all/mean": step / 4,
      "tool/error_rate": 0.3,
      "tool/calls": 12,
      "response_length/mean": 20,
    };
    run.logMetrics({ phase: "rl", stage: HOSTILE, step, time: step, metrics });
    run.logMetrics({ phase: "eval", stage: "a", step, time: step, metrics: { "eval/all/avg@2": step / 4 } });
    await run.writeTranscripts(
      `step-00000${step}`,
      Array.from({ length: 12 }, (_, at) => rollout(Math.floor(at / 3) + step, at % 3)),
    );
    const sample = {
      kind: "sample",
      engine: "engine-<0>",
      running: 3,
      waiting: 1,
      acting: 2,
      queued: 0,
      liveTokens: 50,
      kvTokens: 100,
      kvUsage: 0.4,
      credit: 1,
    };
    run.logTimeline(step, [
      { ...sample, at: 0 },
      { ...sample, at: 2500, running: 5 },
      { kind: "down", at: 2600, engine: "engine-<0>", detail: HOSTILE },
    ]);
  }
  // The run goes on: a line is being written.
  appendFileSync(run.file("metrics.jsonl"), '{"phase":"rl","st');
  return run.path;
}

const root = mkdtempSync(path.join(tmpdir(), "rollcall-view-"));
let run = "";
let other = "";
let server: ViewServer;
beforeAll(async () => {
  run = await makeRun(path.join(root, "first"));
  other = await makeRun(path.join(root, "second"));
  server = await serveRuns([run, other], 0);
});
afterAll(async () => {
  await server.close();
  rmSync(root, { recursive: true });
});

describe("the viewer's server", () => {
  test("serves pages and transcripts to this machine's own names, and nothing else", async () => {
    const page = await fetch(server.url);
    expect(page.headers.get("content-type")).toContain("text/html");
    expect(await page.text()).not.toContain(HOSTILE);
    const rows = await fetch(`${server.url}transcripts?run=1&name=step-000002`);
    expect(await rows.json()).toHaveLength(12);
    for (const [wrong, status] of [
      ["transcripts?run=0&name=../config", 404],
      ["transcripts?run=7&name=step-000001", 404],
      ["config.json", 404],
    ] as const)
      expect((await fetch(server.url + wrong)).status).toBe(status);
    expect((await fetch(server.url, { method: "POST" })).status).toBe(405);
  });

  test("draws the curves as one picture", async () => {
    const file = path.join(root, "curves.svg");
    expect(await runView([run, other, "--curves", file])).toBe(0);
    const picture = readFileSync(file, "utf8");
    expect(picture).toContain("Accuracy on held-out problems");
    expect(picture).toContain("second");
    expect(picture).not.toMatch(/<script|href=|url\(/);
  });

  test("says what is no run", async () => {
    await expect(serveRuns([root], 0)).rejects.toThrow("is no run directory");
  });
});

const executablePath = findChromium();
if (executablePath === null)
  process.stderr.write(`\nNo browser: the viewer is not tried in one. As root: ${INSTALL}\n\n`);

describe.skipIf(executablePath === null)("in a browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: executablePath ?? "",
      args: ["--no-sandbox"],
      timeout: 120_000,
    });
  }, 150_000);
  afterAll(() => browser.close());

  async function open(url: string): Promise<{ page: Page; errors: string[] }> {
    const page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    const errors: string[] = [];
    page.on("pageerror", ({ message }) => errors.push(message));
    await page.goto(url);
    await page.waitForSelector(".item");
    return { page, errors };
  }
  const isOwned = (page: Page): Promise<boolean> => page.evaluate("'owned' in window");

  test("runs beside each other: curves, filters, transcripts, another step and another run", async () => {
    const { page, errors } = await open(server.url);
    expect(await page.locator(".plots").first().locator("svg").count()).toBeGreaterThan(3);
    expect(await page.locator("#count").textContent()).toBe("12 of 12 rollouts");
    expect(await page.locator("#file").inputValue()).toBe("step-000003");

    for (const [filter, count] of [
      ["errors", 4],
      ["excluded", 4],
      ["right", 4],
      ["trained", 8],
      ["cut", 0],
    ] as const) {
      await page.selectOption("#filter", filter);
      expect([filter, await page.locator(".item").count()]).toEqual([filter, count]);
    }
    await page.selectOption("#filter", "excluded");
    expect(await page.locator("#detail").textContent()).toContain("Excluded: the sandbox failed");

    await page.selectOption("#filter", "all");
    await page.selectOption("#order", "longest");
    expect(await page.locator(".item").first().textContent()).toContain("72 tokens");
    await page.fill("#search", "number 5 1");
    expect(await page.locator(".item").count()).toBe(1);
    expect(await page.locator("#detail .call.failed .response").textContent()).toBe("NameError");
    expect(await page.locator("#detail pre.model").textContent()).toBe(HOSTILE);

    await page.fill("#search", "");
    await page.locator('tr[data-run="0"][data-file="step-000001"]').click();
    // Not by waitForFunction, whose code the page's policy forbids.
    await expect.poll(() => page.locator(".item").first().textContent()).toContain("52 tokens");
    await page.selectOption("#run", "1");
    await expect.poll(() => page.locator("#file").inputValue()).toBe("step-000003");
    expect(await page.locator("summary", { hasText: "second, step 3" }).count()).toBe(1);
    expect([errors, await isOwned(page)]).toEqual([[], false]);
    await page.close();
  });

  test("one file has all of it, and asks for nothing", async () => {
    const file = path.join(root, "run.html");
    writeFileSync(file, exportPage([run]));
    const { page, errors } = await open(`file://${file}`);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.selectOption("#file", "step-000001");
    await expect.poll(() => page.locator(".item").count()).toBe(12);
    await page.locator(".item").nth(1).click();
    expect(await page.locator("#detail .chip").first().textContent()).toBe("wrong");
    expect([errors, asked, await isOwned(page)]).toEqual([[], [], false]);
    await page.close();
  });
});
