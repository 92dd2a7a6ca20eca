/** Whatever a program does, its own run ends as it must, and the next program finds everything as new. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HOSTILE } from "./hostile-programs.ts";
import { runIn } from "./programs.ts";
import { type TestEngine, startEngine } from "./test-engine.ts";

const MiB = 1 << 20;
/** For programs that do not end by themselves, and for those that do, on a machine however busy. Milliseconds. */
const ENDLESS_WALL_MS = 1000;
const WALL_MS = 30_000;
const LIMITS = { wall_ms: WALL_MS, memory_bytes: 128 * MiB, output_bytes: 65_536 };
let engine: TestEngine;

beforeAll(async () => {
  engine = await startEngine({ isolateMemoryBytes: LIMITS.memory_bytes });
});
afterAll(() => engine.close());

describe("a hostile program", () => {
  test.for(HOSTILE)("$name", async ({ source, cell = false, ends }) => {
    const limits = { ...LIMITS, wall_ms: ends.includes("wall") ? ENDLESS_WALL_MS : WALL_MS };
    const { evidence, stdout } = await runIn(engine.sandbox, { source, cell, limits });
    expect(ends).toContain(evidence.endedBy ?? evidence.exitCode);
    expect(stdout).not.toContain("BREACH");
    expect(evidence.stdout.head.length + evidence.stdout.tail.length).toBeLessThanOrEqual(
      LIMITS.output_bytes,
    );
    expect(evidence.stderr.head.length + evidence.stderr.tail.length).toBeLessThanOrEqual(
      LIMITS.output_bytes,
    );
    const next = await runIn(engine.sandbox, { source: "console.log(1 + 1);", limits: LIMITS });
    expect(next.stdout).toBe("2\n");
  });
});

test("nothing is carried from one program to the next", async () => {
  await runIn(
    engine.sandbox,
    "globalThis.planted = 1; Array.prototype.evil = 1; Object.prototype.evil2 = 1; JSON.parse = () => 'owned';",
  );
  const { stdout } = await runIn(
    engine.sandbox,
    "console.log(typeof planted, [].evil, ({}).evil2, JSON.parse('1'));",
  );
  expect(stdout).toBe("undefined undefined undefined 1\n");
});

test("no object that a program can reach is of the host or of isolated-vm", async () => {
  const { stdout } = await runIn(
    engine.sandbox,
    `const seen = new Set(); const bad = [];
     (function walk(value, path, depth) {
       if (value === null || (typeof value !== "object" && typeof value !== "function") || seen.has(value) || depth > 7) return;
       seen.add(value);
       if (/Reference|ExternalCopy|Isolate|Callback$/.test(Object.prototype.toString.call(value)) || typeof value.applySync === "function") bad.push(path);
       for (const key of Reflect.ownKeys(value)) { try { walk(value[key], path + "." + String(key), depth + 1); } catch {} }
       walk(Object.getPrototypeOf(value), path + ".proto", depth + 1);
     })({ globalThis, require, process, module, fs: require("fs"), crypto: require("crypto"), url: require("url") }, "", 0);
     console.log(bad.length, seen.size > 1000);`,
  );
  expect(stdout).toBe("0 true\n");
});

test("no stack tells a path of this machine", async () => {
  const { stdout } = await runIn(
    engine.sandbox,
    `const stacks = [];
     for (const attempt of [() => new URL("x:"), () => require("crypto").createHash("no"), () => require("fs").readFileSync("/etc/passwd"), () => process.binding("fs"), () => require("vm"), () => null.x]) {
       try { attempt(); } catch (error) { stacks.push(error.stack); }
     }
     console.log(stacks.join("\\n"));`,
  );
  expect(stdout).toContain("Cannot find module 'vm'");
  expect(stdout).not.toMatch(/\/(?:home|root|src|node_modules|tmp|opt)\//);
  expect(stdout).not.toContain("isolated-vm");
});
