/** The engine in real containers; left out, saying why, where this machine cannot make them. */
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ConfinementUnavailable, createConfinement } from "../../../src/confine/confinement.ts";
import { createIsolateEngine } from "../../../src/engines/isolate/engine.ts";
import type { Engine, Sandbox } from "../../../src/core/ports.ts";
import { runIn } from "./programs.ts";

const MiB = 1 << 20;
const stateDirectory = mkdtempSync(join(tmpdir(), "confined-"));
// Root of a container's user namespace is nobody here, and must find its own root file system.
chmodSync(stateDirectory, 0o755);

async function confinementOrReason() {
  try {
    return await createConfinement({
      runtime: "auto",
      rootfs: "",
      cgroupParent: "",
      stateDirectory,
      minimum: "container",
      confiner: { interpreter: "/usr/bin/python3", forkServerDirectory: "" },
    });
  } catch (error) {
    if (error instanceof ConfinementUnavailable) return error.message;
    throw error;
  }
}

const confinement = await confinementOrReason();

if (typeof confinement === "string") {
  test.skip(`in a container: ${confinement}`, () => {
    expect(confinement).toBe("");
  });
} else {
  let engine: Engine;
  let sandbox: Sandbox;

  beforeAll(async () => {
    engine = createIsolateEngine({
      confinement,
      slots: 2,
      nodePath: process.execPath,
      hostMemoryBytes: 768 * MiB,
    });
    await engine.start();
    sandbox = await engine.openSandbox(0);
  });
  afterAll(async () => {
    await engine.close();
    await confinement.close();
    rmSync(stateDirectory, { recursive: true, force: true });
  });

  test("a program runs in a container as it does outside", async () => {
    const { evidence, stdout } = await runIn(sandbox, {
      source: `import fs from "fs";\nconsole.log(fs.readFileSync(0, "utf8"), { a: [1] });`,
      stdin: "in",
    });
    expect(stdout).toBe("in { a: [ 1 ] }\n");
    expect(evidence).toMatchObject({ exitCode: 0, endedBy: null });
  });

  test("what no isolate can end is ended with its container, and the next run has another", async () => {
    const source = `let a = 3n ** (10n ** 7n); a = a * a * a; a = a * a; console.log(a === 1n);`;
    const { evidence } = await runIn(sandbox, { source, limits: { wall_ms: 500 } });
    expect(evidence.endedBy).toBe("wall");
    expect((await runIn(sandbox, `console.log("next")`)).stdout).toBe("next\n");
  });

  test("memory beyond the container's is the program's own doing", async () => {
    const source = `console.log("before"); const all = []; for (;;) all.push(new Uint8Array(1e7).fill(1));`;
    const { evidence, stdout } = await runIn(sandbox, { source, limits: { memory_bytes: 4096 * MiB } });
    expect(evidence.endedBy).toBe("memory");
    expect(stdout).toBe("before\n");
    expect((await runIn(sandbox, `console.log("next")`)).stdout).toBe("next\n");
  });

  test("no container is left after the end", async () => {
    await engine.close();
    await expect
      .poll(() =>
        readdirSync(stateDirectory, { recursive: true }).filter((name) => String(name).includes("isolate-")),
      )
      .toEqual([]);
  });
}
