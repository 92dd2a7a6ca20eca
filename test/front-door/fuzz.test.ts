/**
 * The API held against its own OpenAPI document by Schemathesis, a maintained fuzzer: requests that the document
 * allows and ones that it does not, and every answer checked. The fuzzer comes from PyPI into `.rollcall/` at the
 * first run; where PyPI cannot be reached the test is left out, and says so.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { INSTALL_MS_MAX, packages, python } from "../support/pypi.ts";
import { type Service, startService } from "../support/service.ts";

const VERSION = "4.32.5";
const FUZZ_MS_MAX = 240_000;
const EXAMPLES = process.env["ROLLCALL_FUZZ_EXAMPLES"] ?? "60";
const KEY = "fuzz-key-0123456789abcdef";

/** Rules over several fields (a mode that a runtime lacks, a path that leaves the directory) are in no schema. */
const SETTINGS = `[checks]
negative_data_rejection.expected-statuses = [400, 401, 404, 405, 413, 415]
positive_data_acceptance.enabled = false
`;

let service: Service;
const directory = mkdtempSync(join(tmpdir(), "rollcall-fuzz-"));
beforeAll(async () => {
  service = await startService(["--limits.default.wall_ms=500", "--queue.batchCallsMax=8"], {
    ROLLCALL_HTTP_KEYS: JSON.stringify([{ name: "fuzz", key: KEY }]),
  });
});
afterAll(async () => {
  expect(await service.stop()).toBe(0);
  rmSync(directory, { recursive: true, force: true });
});

it(
  "answers as its document says, whatever is sent",
  { timeout: INSTALL_MS_MAX + FUZZ_MS_MAX + 10_000 },
  async (context) => {
    const found = await packages("schemathesis", [`schemathesis==${VERSION}`]);
    const missing = "missing" in found ? found.missing : null;
    if (missing !== null) console.warn(`test/front-door/fuzz.test.ts is skipped. ${missing}`);
    context.skip(missing !== null, missing ?? "");
    const settings = join(directory, "schemathesis.toml");
    writeFileSync(settings, SETTINGS);
    const run = `--config-file ${settings} run ${service.url}/openapi.json --mode all --phases coverage,fuzzing --seed 1 --generation-database none --no-color --continue-on-failure --warnings off --max-examples ${EXAMPLES}`;
    const program = "from schemathesis.cli import schemathesis; schemathesis()";
    const { code, output } = await python(
      ["-c", program, ...run.split(" "), "--header", `Authorization: Bearer ${KEY}`],
      { PYTHONPATH: "path" in found ? found.path : "" },
      FUZZ_MS_MAX,
    );
    expect(output).toContain("No issues found");
    expect(code).toBe(0);
    expect(Number(/(\d+) generated/.exec(output)?.[1])).toBeGreaterThan(300);
    expect(service.lines.filter((line) => /"level":[456]0/.test(line))).toEqual([]);
    expect(service.lines.join("\n")).not.toContain(KEY);
  },
);
