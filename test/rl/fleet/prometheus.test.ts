import { expect, test } from "vitest";
import { parsePrometheus, sumOf, valuesOf } from "../../../src/rl/policies/prometheus.ts";

test("reads gauges and counters, with labels that hold anything", () => {
  const points = parsePrometheus(
    [
      "# HELP x Something.",
      'vllm:num_requests_running{engine="0",model_name="a\\"b,c}d"} 3.0',
      'vllm:num_requests_running{engine="1",model_name="a"} 4.0 1700000000',
      "plain 1e3",
      "broken",
      "process_open_fds NaN",
    ].join("\n"),
  );
  expect(points).toHaveLength(4);
  expect(points[0]).toEqual({
    name: "vllm:num_requests_running",
    labels: { engine: "0", model_name: 'a\\"b,c}d' },
    value: 3,
  });
  expect(sumOf(valuesOf(points, ["older_name", "vllm:num_requests_running"]))).toBe(7);
  expect(valuesOf(points, ["plain"])).toEqual([1000]);
  expect(valuesOf(points, ["process_open_fds", "nothing"])).toEqual([]);
});
