/** Limits, cancellation and what is kept of a program that was ended. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { SandboxFault } from "../../../src/core/ports.ts";
import { runIn, specOf, textOf } from "./programs.ts";
import { type TestEngine, startEngine } from "./test-engine.ts";

const MiB = 1 << 20;
let engine: TestEngine;

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.close());

test("the wall limit ends a program and keeps what it printed", async () => {
  const { evidence, stdout } = await runIn(engine.sandbox, {
    source: `console.log("before"); for (;;);`,
    limits: { wall_ms: 300 },
  });
  expect(evidence).toMatchObject({ endedBy: "wall", exitCode: null, signal: 9 });
  expect(stdout).toBe("before\n");
});

test("waiting costs no CPU time, computing does", async () => {
  const waiting = await runIn(engine.sandbox, {
    source: `setTimeout(() => console.log("done"), 600);`,
    limits: { cpu_ms: 400 },
  });
  expect(waiting.stdout).toBe("done\n");
  expect(waiting.evidence.endedBy).toBeNull();
  const computing = await runIn(engine.sandbox, {
    source: `for (;;);`,
    limits: { cpu_ms: 300, wall_ms: 20_000 },
  });
  expect(computing.evidence.endedBy).toBe("cpu");
  expect(computing.evidence.usage.cpu_ms).toBeGreaterThanOrEqual(300);
});

test.for([
  ["objects", `const a = []; for (;;) a.push({ a: a.length });`],
  ["array buffers", `const a = []; for (;;) a.push(new Uint8Array(4e6).fill(1));`],
  ["Buffers", `const a = []; for (;;) a.push(Buffer.alloc(4e6, 1));`],
])("memory of %s is limited", async ([, source = ""]) => {
  const { evidence } = await runIn(engine.sandbox, { source, limits: { memory_bytes: 64 * MiB } });
  expect(evidence.endedBy).toBe("memory");
});

test("a program may use the memory it asked for", async () => {
  const { evidence, stdout } = await runIn(engine.sandbox, {
    source: `const b = new Uint8Array(200e6).fill(7); console.log(b[1e8]);`,
    limits: { memory_bytes: 400 * MiB },
  });
  expect(stdout).toBe("7\n");
  expect(evidence.usage.memory_peak_bytes).toBeGreaterThan(100e6);
});

test("output beyond the cap loses its middle; beyond four times the cap it ends the program", async () => {
  const some = await runIn(engine.sandbox, {
    source: `for (let i = 0; i < 1000; i++) console.log(i);`,
    limits: { output_bytes: 1000 },
  });
  expect(some.evidence.endedBy).toBeNull();
  expect(some.evidence.stdout.head.toString()).toMatch(/^0\n1\n2\n/);
  expect(some.evidence.stdout.tail.toString()).toMatch(/\n998\n999\n$/);
  expect(some.evidence.stdout.head).toHaveLength(500);
  expect(some.evidence.stdout.tail).toHaveLength(500);
  expect(some.evidence.stdout.totalBytes).toBe(3890);
  const many = await runIn(engine.sandbox, {
    source: `console.error("kept"); for (let i = 0; ; i++) console.log(i);`,
    limits: { output_bytes: 1000 },
  });
  expect(many.evidence.endedBy).toBe("output");
  expect(many.stderr).toBe("kept\n");
  expect(many.evidence.stdout.totalBytes).toBe(4000);
});

test("a character across the edge of the cap is whole in the bytes", async () => {
  const { evidence } = await runIn(engine.sandbox, {
    source: `process.stdout.write("é".repeat(400));`,
    limits: { output_bytes: 801 },
  });
  expect(textOf(evidence.stdout)).toBe("é".repeat(400));
});

test("aborting the signal cancels", async () => {
  const controller = new AbortController();
  const running = engine.sandbox.run(specOf({ source: `console.log("on"); for (;;);` }), controller.signal);
  setTimeout(() => controller.abort(), 1000);
  const evidence = await running;
  expect(evidence.endedBy).toBe("cancel");
  expect(textOf(evidence.stdout)).toBe("on\n");
});

test("a signal that was aborted before cancels at once", async () => {
  const { evidence } = await runIn(engine.sandbox, `for (;;);`, AbortSignal.abort());
  expect(evidence.endedBy).toBe("cancel");
});

test("a host that dies for no reason of the program fails that run only, and the next has a host", async () => {
  const own = await startEngine();
  const other = await own.engine.openSandbox(1);
  const program = specOf({ source: `setTimeout(() => console.log("lived"), 2000);` });
  const dying = own.sandbox.run(program, new AbortController().signal);
  const surviving = other.run(program, new AbortController().signal);
  setTimeout(() => own.signal(0, "SIGKILL"), 500);
  await expect(dying).rejects.toBeInstanceOf(SandboxFault);
  expect(textOf((await surviving).stdout)).toBe("lived\n");
  expect((await runIn(own.sandbox, `console.log("again")`)).stdout).toBe("again\n");
  expect(own.faults).toContain("host_died");
  await own.close();
});

test("a host that stops answering is killed, and the run has met its wall limit", async () => {
  const own = await startEngine();
  setTimeout(() => own.signal(0, "SIGSTOP"), 1000);
  const { evidence, stdout } = await runIn(own.sandbox, {
    source: `console.log("early"); for (;;);`,
    limits: { wall_ms: 2000 },
  });
  expect(evidence.endedBy).toBe("wall");
  expect(stdout).toBe("early\n");
  await own.close();
});

test("a host that ends between two runs costs none of those that follow", async () => {
  const own = await startEngine();
  for (const index of [0, 1]) {
    expect((await runIn(own.sandbox, `console.log("before")`)).stdout).toBe("before\n");
    await vi.waitFor(() => expect(own.pids().length).toBeGreaterThan(index + 1), 10_000);
    own.signal(index, "SIGKILL");
    await vi.waitFor(() => expect(own.faults.length).toBe(index + 1), 10_000);
    expect((await runIn(own.sandbox, `console.log("after")`)).stdout).toBe("after\n");
  }
  await own.close();
});
