import { describe, expect, test } from "vitest";
import { renderReport } from "../../bench/report/html.ts";
import { drawPlot, ticks, tickText } from "../../src/lib/line-plot.ts";
import { cost, ratio, resultFile } from "./results.ts";

describe("report", () => {
  const page = renderReport(resultFile([ratio("a", 1, 1.1), cost("b", 4)]));

  test("needs nothing from elsewhere and runs nothing", () => {
    expect(page).not.toMatch(/https?:|<script|<link|<img|<iframe|@import|url\(|\bsrc=/i);
  });

  test("tells machine, measures and loads", () => {
    for (const text of [
      "0123456789",
      "ratio a",
      "missed",
      "3,000 of 3,000 answered",
      "--piston URL",
      "A quick run",
    ])
      expect(page).toContain(text);
  });

  test("plots latency, percentiles, throughput, CPU, queue, memory, lag and curves", () => {
    const titles = [...page.matchAll(/<text class="title"[^>]*>([^<]+)</g)].map(([, title]) => title);
    expect(titles).toEqual([
      "Cost",
      "Latency over time",
      "Latency by percentile",
      "Throughput",
      "Outcomes",
      "CPU",
      "Waiting",
      "Running",
      "Memory",
      "Event-loop lag",
    ]);
  });

  test("what programs and machines say is text, not markup", () => {
    expect(page).not.toContain("<wrong>");
    expect(page).not.toContain("<fast>");
    expect(page).toContain("Peers &#38; others");
  });

  test("no coordinate is lost", () => {
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });
});

describe("plot", () => {
  test("ticks are round and cover the most", () => {
    expect(ticks(97, 4)).toEqual([0, 50, 100]);
    expect(ticks(0.003, 4)).toHaveLength(4);
    expect(ticks(0, 4)).toEqual([0, 1]);
    expect([tickText(45_000), tickText(1_500_000), tickText(0.25)]).toEqual(["45k", "1.5M", "0.25"]);
  });

  test("without a point there is none", () => {
    const plot = { title: "t", xLabel: "x", yLabel: "y" };
    expect(drawPlot({ ...plot, lines: [] })).toBe("");
    expect(drawPlot({ ...plot, lines: [{ name: "a", points: [[1, Number.NaN]] }] })).toBe("");
    expect(drawPlot({ ...plot, lines: [{ name: "a", points: [[0, 0]] }] })).toContain("<svg");
  });
});
