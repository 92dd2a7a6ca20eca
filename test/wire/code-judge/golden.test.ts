/** What code-judge itself answered, recorded, against what the real service answers. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../../support/ask.ts";
import { type Service, startService } from "../../support/service.ts";

interface Recorded {
  readonly request: { readonly type: string; readonly solution: string };
  readonly response: {
    readonly success: boolean;
    readonly run_success: boolean;
    readonly stdout: string | null;
    readonly stderr: string | null;
    readonly reason: string;
  };
}

const RECORDED = JSON.parse(readFileSync(new URL("golden.json", import.meta.url), "utf8")) as Record<
  string,
  Recorded
>;

/** Lines that the original puts before a program, and so into the line numbers of its tracebacks. */
const PRELUDE_LINES = 48;

/** A recorded text as we say it: our program's name, and its own line numbers. */
function asOurs(text: string): string {
  return text
    .replaceAll("<workdir>/source.py", "/work/main.py")
    .replaceAll(/line (\d+)/g, (_, line: string) => `line ${Number(line) - PRELUDE_LINES}`);
}

type Change = Partial<Recorded["response"]>;

/** Where we differ on purpose; each is told in docs/wire/code-judge.md. */
const DIFFERENCES: Readonly<Record<string, Change>> = {
  // Recorded: a race between two limits, one of which prints this line.
  hang_cpu: { stdout: "start\nSuicide from timeout.\n" },
  // Recorded: a soft limit in the program's own process. Ours is the kernel's, and there is no traceback.
  memory: { stderr: "MemoryError\n" },
  // Recorded: the original takes its own mark in the output for the end.
  end_mark_in_output: { success: true, run_success: true, stdout: "a@@Eb\n", stderr: "", reason: "" },
  // Recorded: bytes that are not UTF-8 break the original.
  non_utf8: { success: true, run_success: true, stdout: "\uFFFD\uFFFD", stderr: "", reason: "" },
  // Recorded: the original puts a line of its own before the program, and names files otherwise.
  cpp_ce: {
    stderr:
      "/work/main.cpp: In function \u2018int main()\u2019:\n/work/main.cpp:1:20: error: \u2018x\u2019 was not declared in this scope\n    1 | int main(){ return x; }\n      |                    ^\n",
  },
};

let service: Service;
beforeAll(async () => {
  service = await startService([
    "--wire",
    "code-judge",
    "--wire.code-judge.wallMs",
    "4000",
    "--runtimes.javascript",
    "false",
  ]);
});
afterAll(() => service.stop());

describe.concurrent("recorded", () => {
  test.each(Object.keys(RECORDED))("%s", async (name) => {
    const { request, response } = RECORDED[name] as Recorded;
    const { status, json } = await ask(`${service.url}/run`, { body: request });
    expect(status).toBe(200);
    const { sub_id, cost, ...rest } = json;
    expect(sub_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(typeof cost).toBe("number");
    if (rest.reason === "worker_timeout") expect(cost).toBeGreaterThanOrEqual(4);
    const { success, run_success, stdout, stderr, reason } = response;
    const expected = {
      success,
      run_success,
      stdout,
      stderr: stderr === null ? null : asOurs(stderr),
      reason,
    };
    expect(rest).toEqual({ ...expected, ...DIFFERENCES[name] });
  });
});
