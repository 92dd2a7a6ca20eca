import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { readContainersCpuMs } from "../../bench/machine/cgroup-cpu.ts";
import { findProcesses, readTree } from "../../bench/machine/cpu.ts";
import { describeMachine } from "../../bench/machine/description.ts";
import { moduleFile, PACKAGE_ROOT } from "../../bench/machine/place.ts";
import { parseBuckets, parseMetrics, quantileOfBuckets } from "../../bench/machine/prometheus.ts";
import { cpuBetweenLooks } from "../../bench/suites/session.ts";
import { startSampler } from "../../bench/machine/sampler.ts";

test("a process tree has the CPU time and memory of its children too", async () => {
  const before = readTree(process.pid);
  const mark = `mark-${process.pid}`;
  const child = spawn("sh", ["-c", `# ${mark}\necho ready\nread line`], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const during = readTree(process.pid);
  expect(during.processes).toBeGreaterThan(before.processes);
  expect(during.treeRssBytes).toBeGreaterThan(during.rssBytes);
  expect(findProcesses(process.pid, mark)).toEqual([child.pid]);
  child.stdin.end();
  await new Promise((resolve) => child.once("exit", resolve));
  expect(readTree(process.pid).totalMs).toBeGreaterThanOrEqual(before.totalMs);
});

test("the CPU time of containers is read from either kind of cgroup", () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "rollcall-bench-test-"));
  const make = (directory: string, file: string, text: string): void => {
    fs.mkdirSync(path.join(root, directory), { recursive: true });
    fs.writeFileSync(path.join(root, directory, file), text);
  };
  try {
    expect(readContainersCpuMs(7, root)).toBeNull();
    make("cpuacct/rollcall-7-1", "cpuacct.usage", "5000000\n");
    make("cpuacct/rollcall-77-1", "cpuacct.usage", "9000000\n");
    expect(readContainersCpuMs(7, root)).toBe(5);
    make("rollcall-7-1", "cpu.stat", "usage_usec 7000\nuser_usec 1\n");
    expect(readContainersCpuMs(7, root)).toBe(7);
  } finally {
    fs.rmSync(root, { recursive: true });
  }
});

test("of the two sums of CPU time the greater one counts", () => {
  const look = (totalMs: number, ownMs: number, containersMs: number | null) => ({
    tree: { totalMs, ownMs, rssBytes: 0, treeRssBytes: 0, processes: 1 },
    containersMs,
  });
  const between = (containersMs: number | null) =>
    cpuBetweenLooks(look(100, 10, containersMs === null ? null : 50), look(300, 30, containersMs)).cpuMs;
  expect(between(null)).toBe(200);
  expect(between(200)).toBe(200);
  expect(between(300)).toBe(270);
});

test("metrics are summed over their labels", () => {
  const text = '# HELP a b\na_total{x="1"} 2\na_total{x="2"} 3\nb 0.5\nc NaN\n';
  expect([...parseMetrics(text)]).toEqual([
    ["a_total", 5],
    ["b", 0.5],
  ]);
});

test("of a histogram a share is found", () => {
  const text =
    'a_bucket{le="0.01"} 98\na_bucket{le="0.05"} 99\na_bucket{le="+Inf"} 100\na_sum 1\nb_bucket{le="1"} 7\n';
  const buckets = parseBuckets(text, "a");
  expect(buckets).toEqual([
    { atMost: 0.01, count: 98 },
    { atMost: 0.05, count: 1 },
    { atMost: Number.POSITIVE_INFINITY, count: 1 },
  ]);
  expect([0.5, 0.98, 0.99, 1].map((share) => quantileOfBuckets(buckets, share))).toEqual([
    0.01,
    0.01,
    0.05,
    Number.POSITIVE_INFINITY,
  ]);
  expect(quantileOfBuckets(parseBuckets(text, "c"), 0.99)).toBeNaN();
});

test("a sampler of nothing that it can see says so", async () => {
  const sampler = await startSampler({ pid: null, metricsUrl: null });
  const { samples, lagMs } = await sampler.stop();
  expect(samples).toHaveLength(1);
  expect(lagMs).toBeNull();
  expect(samples[0]).toMatchObject({ busyCores: null, rssBytes: null, queuedCalls: null });
});

test("the machine and the package are known", () => {
  expect(describeMachine("/nonexistent")).toMatchObject({ node: process.version, python: "unknown" });
  expect(fs.existsSync(path.join(PACKAGE_ROOT, "package.json"))).toBe(true);
  for (const name of [
    "src/main",
    "bench/stub/main",
    "bench/stub/bare-fastify",
    "bench/reference/isolate-loop",
  ])
    expect(fs.existsSync(moduleFile(name))).toBe(true);
});
