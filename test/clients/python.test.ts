/** The Python client: its own tests against the real service, its types, its wheel. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { INSTALL_MS_MAX, packages, python } from "../support/pypi.ts";
import { type Service, startService } from "../support/service.ts";

const HOME = fileURLToPath(new URL("../../clients/python", import.meta.url));
const RUN_MS_MAX = 180_000;

let service: Service;
const directory = mkdtempSync(path.join(tmpdir(), "rollcall-client-"));
beforeAll(async () => {
  service = await startService(["--runtimes.javascript", "false"]);
});
afterAll(async () => {
  expect(await service.stop()).toBe(0);
  rmSync(directory, { recursive: true });
});

it(
  "does what its tests say, against the service",
  { timeout: INSTALL_MS_MAX + RUN_MS_MAX },
  async ({ skip }) => {
    const found = await packages("client", ["httpx==0.28.1", "pytest==9.0.2", "mypy==1.19.1"]);
    if ("missing" in found) {
      skip(found.missing);
      return;
    }
    const env = { PYTHONPATH: `${HOME}/src:${found.path}`, ROLLCALL_URL: service.url };
    const args = ["-m", "pytest", "-q", "-p", "no:cacheprovider", HOME];
    const ran = await python(args, env, RUN_MS_MAX);
    expect(ran.output).toMatch(/\d+ passed/);
    expect(ran).toMatchObject({ code: 0 });

    const config = ["--config-file", `${HOME}/pyproject.toml`, "--cache-dir", directory];
    const typed = await python(["-m", "mypy", ...config, `${HOME}/src`, `${HOME}/tests`], env, RUN_MS_MAX);
    expect(typed.output).toContain("no issues found");
  },
);

it("builds a wheel that has its types", { timeout: 2 * INSTALL_MS_MAX }, async ({ skip }) => {
  const found = await packages("build", ["hatchling==1.28.0"]);
  if ("missing" in found) {
    skip(found.missing);
    return;
  }
  const flags = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "-w", directory];
  const built = await python(["-m", "pip", "wheel", ...flags, HOME], { PYTHONPATH: found.path });
  expect(built).toMatchObject({ code: 0 });
  const [wheel] = readdirSync(directory).filter((name) => name.endsWith(".whl"));
  expect(wheel).toBe("rollcall_client-0.1.0-py3-none-any.whl");
  const listed = await python(["-m", "zipfile", "-l", path.join(directory, wheel as string)]);
  expect(listed.output).toContain("rollcall_client/py.typed");
});
