/** Programs of SandboxFusion's clients on the real service. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../../support/ask.ts";
import { type Service, startService } from "../../support/service.ts";

let service: Service;
beforeAll(async () => {
  service = await startService(["--wire", "sandbox-fusion", "--runtimes.javascript", "false"]);
});
afterAll(() => service.stop());

const run = async (language: string, code: string, more: object = {}) =>
  (await ask(`${service.url}/run_code`, { body: { language, code, ...more } })).json;
const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("/run_code", () => {
  test.each([
    ["python", "print(int(input()) + 1)"],
    ["nodejs", "process.stdin.on('data', (text) => console.log(Number(text) + 1))"],
    ["bash", "read n; echo $((n + 1))"],
    ["cpp", "#include <iostream>\nint main() { int n; std::cin >> n; std::cout << n + 1 << std::endl; }"],
  ])("%s reads standard input", async (language, code) => {
    expect(await run(language, code, { stdin: "65535" })).toMatchObject({
      status: "Success",
      run_result: { status: "Finished", return_code: 0, stdout: "65536\n", stderr: "" },
    });
  });

  test.each([
    ["python", "import sys; sys.exit(-1)", 255],
    ["python", "raise ValueError('no')", 1],
    ["nodejs", "process.exit(4)", 4],
    ["bash", "false", 1],
    ["bash", "kill -9 $$", -9],
  ])("%s: `%s` fails with %i", async (language, code, return_code) => {
    expect(await run(language, code)).toMatchObject({
      status: "Failed",
      message: "",
      run_result: { status: "Finished", return_code },
    });
  });

  test.each([
    ["python", "print('so far', flush=True)\nwhile True: pass"],
    ["bash", "echo so far; sleep 300"],
  ])("%s: a time limit keeps what was printed", async (language, code) => {
    const answer = await run(language, code, { run_timeout: 0.5 });
    expect(answer).toMatchObject({
      status: "Failed",
      run_result: { status: "TimeLimitExceeded", return_code: null, stdout: "so far\n" },
    });
    expect(answer.run_result.execution_time).toBeGreaterThanOrEqual(0.5);
    expect(answer.run_result.execution_time).toBeLessThan(60);
  });

  test("cpp: both stages are told, and one that fails alone", async () => {
    const good = await run("cpp", '#include <cstdio>\nint main() { puts("out"); return 3; }');
    expect(good).toMatchObject({
      status: "Failed",
      compile_result: { status: "Finished", return_code: 0, stdout: "", stderr: "" },
      run_result: { status: "Finished", return_code: 3, stdout: "out\n" },
    });
    const bad = await run("cpp", "int main() { return x; }");
    expect(bad).toMatchObject({ status: "Failed", compile_result: { return_code: 1 }, run_result: null });
    expect(bad.compile_result.stderr).toContain("was not declared");
    const slow = await run("cpp", "#include <iostream>\n#include <regex>\nint main() {}", {
      compile_timeout: 0.01,
    });
    expect(slow).toMatchObject({
      status: "Failed",
      compile_result: { status: "TimeLimitExceeded", return_code: null },
      run_result: null,
    });
  });

  test("pytest runs the tests in the code, and its exit code decides", async () => {
    const passed = await run("pytest", "import other\ndef test_one():\n    assert other.x == 1\n", {
      files: { "other.py": base64("x = 1") },
    });
    expect(passed).toMatchObject({ status: "Success", run_result: { return_code: 0 } });
    expect(passed.run_result.stdout).toContain("1 passed");
    const failed = await run("pytest", "def test_two():\n    x = 1\n    assert x == 2\n");
    expect(failed).toMatchObject({ status: "Failed", run_result: { return_code: 1 } });
    expect(failed.run_result.stdout).toContain("assert 1 == 2");
  });

  test("a grading program finds its files beside it and its exit code decides, as tinker-cookbook has it", async () => {
    const files = {
      "test_cases.txt": base64('{"inputs": ["1"], "outputs": ["2"]}'),
      "code.py": base64("print(int(input()) + 1)"),
      "testing_util.py": base64(
        "import json, subprocess, sys\nimport numpy as np\ndef run():\n  case = json.load(open('test_cases.txt'))\n" +
          "  out = subprocess.run([sys.executable, 'code.py'], input=case['inputs'][0], text=True, capture_output=True).stdout\n" +
          "  return out.strip() == case['outputs'][0] and np.arange(3).sum() == 3\n",
      ),
    };
    const code = "import sys\nfrom testing_util import run\nsys.exit(0 if run() else -1)";
    expect(await run("python", code, { files, run_timeout: 12 })).toMatchObject({ status: "Success" });
    const wrong = { ...files, "code.py": base64("print(7)") };
    expect(await run("python", code, { files: wrong, run_timeout: 12 })).toMatchObject({ status: "Failed" });
  });

  test("files that were asked for come back, those that are not there are left out", async () => {
    const answer = await run(
      "python",
      "open('a.bin', 'wb').write(bytes([0, 255]))\nopen('b', 'w').write('é')",
      {
        fetch_files: ["a.bin", "./b", "nothing", "/etc/hostname"],
      },
    );
    expect(answer.files).toEqual({ "a.bin": "AP8=", "./b": base64("é") });
  });

  test("a program that ends before it reads is no fault of the sandbox", async () => {
    expect(await run("python", "print(1)", { stdin: "x".repeat(300_000) })).toMatchObject({
      status: "Success",
      run_result: { stdout: "1\n" },
    });
  });

  test.each([131_073, 304_487, 1_000_000])("%i bytes of output come whole", async (bytes) => {
    const answer = await run("python", `import sys; sys.stdout.write("x" * ${bytes})`);
    expect(answer.status).toBe("Success");
    expect(answer.run_result.stdout).toHaveLength(bytes);
  });

  test("a memory limit is the program's failure", async () => {
    const answer = await run("python", "x = bytearray(900 << 20)", { memory_limit_MB: 64 });
    expect(answer).toMatchObject({ status: "Failed", run_result: { status: "Finished", return_code: -9 } });
  });

  test("a name that the program needs for itself is a SandboxError", async () => {
    const answer = await run("python", "1", { files: { "main.py": base64("1") } });
    expect(answer.status).toBe("SandboxError");
    expect(answer.message).toContain("main.py");
  });
});

describe("/run_jupyter", () => {
  const cells = async (list: string[], more: object = {}) =>
    (await ask(`${service.url}/run_jupyter`, { body: { cells: list, ...more } })).json;

  test("state is kept, and a cell that raises does not end those after it", async () => {
    const answer = await cells([
      'a = "hello"',
      "a",
      'import sys\nsys.stderr.write("This is an error message\\n");',
      "assert False, 'why'",
      "print(a)",
    ]);
    expect(answer).toMatchObject({ status: "Success", message: "", driver: { status: "Finished" } });
    const empty = { stdout: "", stderr: "", display: [], error: [] };
    expect(answer.cells).toMatchObject([
      empty,
      { ...empty, display: [{ "text/plain": "'hello'" }] },
      { ...empty, stderr: "This is an error message\n" },
      { ...empty, error: [{ ename: "AssertionError", evalue: "why" }] },
      { ...empty, stdout: "hello\n" },
    ]);
    const [error] = answer.cells[3].error;
    expect(error.traceback.join("\n")).toContain("assert False, 'why'");
    expect(error.traceback.join("\n")).not.toContain("main.py");
  });

  test("what children write, awaits, syntax errors and exits are each their cell's", async () => {
    const answer = await cells([
      "import subprocess\nsubprocess.run(['echo', 'child']);",
      "import asyncio\nawait asyncio.sleep(0, 'waited')",
      "1 +",
      "    x = 4\n    x",
      "raise SystemExit(3)",
      "import sympy\nsympy.Symbol('y') + _",
    ]);
    expect(answer.cells.map((cell: { stdout: string }) => cell.stdout)).toEqual([
      "child\n",
      "",
      "",
      "",
      "",
      "",
    ]);
    const shown = answer.cells.map(
      (cell: { display: Record<string, string>[] }) => cell.display[0]?.["text/plain"],
    );
    expect(shown).toEqual([undefined, "'waited'", undefined, "4", undefined, "y + 4"]);
    expect(answer.cells[2].error[0].ename).toBe("SyntaxError");
    expect(answer.cells[4].error[0].ename).toBe("SystemExit");
  });

  test("files go in and come out", async () => {
    const answer = await cells(["text = open('in.txt').read()", "open('out.txt', 'w').write(text * 2);"], {
      files: { "in.txt": base64("ab") },
      fetch_files: ["out.txt"],
    });
    expect(answer.files).toEqual({ "out.txt": base64("abab") });
  });

  test("a kernel that dies and one that does not end have failed, without cells", async () => {
    expect(await cells(["import os; os._exit(4)"])).toMatchObject({
      status: "Failed",
      driver: { status: "Finished", return_code: 4 },
      cells: [],
    });
    // Ten seconds are added to what is asked, as in the original.
    expect(await cells(["while True: pass"], { total_timeout: -9.5 })).toMatchObject({
      status: "Failed",
      driver: { status: "TimeLimitExceeded", return_code: null },
      cells: [],
    });
  });
});

describe("/submit", () => {
  const cases = [1, 2, 3].map((n) => ({ input: { stdin: `${n}\n` }, output: { stdout: `${n * n}\n` } }));
  const submit = async (language: string, completion: string) =>
    (
      await ask(`${service.url}/submit`, {
        body: {
          dataset: "mine",
          id: 1,
          completion,
          config: { dataset_type: "CommonOJDataset", language, provided_data: { test: cases } },
        },
      })
    ).json;

  test.each([
    ["python", "So:\n```python\nn = int(input())\nprint(n * n)\n```\nThat is it."],
    ["cpp", "```cpp\n#include <iostream>\nint main() { int n; std::cin >> n; std::cout << n * n; }\n```"],
  ])("%s: a right program is accepted, with every case", async (language, completion) => {
    const answer = await submit(language, completion);
    expect(answer).toMatchObject({ id: 1, accepted: true });
    expect(answer.tests).toHaveLength(3);
    expect(answer.tests[2].exec_info.run_result).toMatchObject({ status: "Finished", return_code: 0 });
  });

  test.each([
    ["wrong from the second case on", "print(1)", 2],
    ["ends well and says nothing", "exit(0)", 1],
    ["says the right thing and fails", "n = int(input()); print(n * n); exit(1)", 1],
  ])("a program that is %s is not", async (_name, source, tests) => {
    const answer = await submit("python", `\`\`\`python\n${source}\n\`\`\``);
    expect(answer.accepted).toBe(false);
    expect(answer.tests).toHaveLength(tests);
    expect(answer.tests.at(-1).passed).toBe(false);
  });
});
