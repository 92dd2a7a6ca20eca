/** Calls that each print their own number, so that an answer to another call is seen. */
import type { Call } from "../../src/contract/call.ts";
import type { Result } from "../../src/contract/result.ts";

/** Of some length each, so that a fault finds them running. */
export function numberedCall(index: number): Call {
  const kinds: Call[] = [
    { runtime: "python", source: `import time\ntime.sleep(0.05)\nprint(${index})` },
    { runtime: "python", source: `import sympy\nprint(sympy.Integer(${index}))` },
    { runtime: "python", source: `import subprocess\nprint(${index})` },
    { runtime: "javascript", source: `setTimeout(() => console.log(${index}), 20)` },
    { runtime: "node", source: `setTimeout(() => console.log(${index}), 20)` },
  ];
  return { ...kinds[index % kinds.length], limits: { wall_ms: 60_000 } } as Call;
}

export const isOurFault = (result: Result): boolean =>
  result.outcome === "sandbox_failed" && result.stdout === "" && result.detail !== null;

/** Results that are neither the right answer nor allowed, in the order of the calls 0, 1, 2, ... */
export function wrongAnswers(results: readonly Result[], allowed = isOurFault): Result[] {
  return results.filter(
    (result, index) =>
      !(result.outcome === "completed" && result.stdout === `${index}\n`) && !allowed(result),
  );
}
