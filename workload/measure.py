"""Fills in `warm_cpu_ms` of programs.jsonl: the CPU time a program's own computing takes with the modules it
names already imported, as the median over forked children of one warm interpreter (Python) or over fresh
contexts of one warm process (JavaScript). Programs that do not end by themselves keep null.

    /usr/bin/python3 workload/measure.py <directory of Python packages> <node>
"""

import ast
import contextlib
import gc
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "programs.jsonl")
ROUNDS = 7

NODE_HARNESS = r"""
const vm = require("node:vm"), fs = require("node:fs");
const [source, rounds] = JSON.parse(fs.readFileSync(0, "utf8"));
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = () => true;
process.stderr.write = () => true;
process.on("uncaughtException", () => {});
process.on("unhandledRejection", () => {});
const taken = [];
for (let i = 0; i < rounds; i++) {
  const context = vm.createContext({ console, Buffer, require, process: { ...process, exit() {}, nextTick() {} }, setTimeout() {}, setImmediate() {} });
  const before = process.cpuUsage();
  try { vm.runInContext(source, context); } catch {}
  const after = process.cpuUsage(before);
  taken.push((after.user + after.system) / 1000);
}
taken.sort((a, b) => a - b);
write(String(taken[rounds >> 1]) + "\n", () => process.kill(process.pid, "SIGKILL"));
"""


def import_all(source):
    """Imports every module the source names, so that none of it is part of the measurement."""
    with contextlib.suppress(SyntaxError):
        for node in ast.walk(ast.parse(source)):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                with contextlib.suppress(ImportError):
                    importlib.import_module(name)


def fine_cpu_seconds(children_before):
    times = os.times()
    return time.process_time() + times.children_user + times.children_system - children_before


def run_once(program):
    """Forks, runs the program in the child, returns the CPU milliseconds that the program itself took."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        with tempfile.TemporaryDirectory() as directory:
            os.chdir(directory)
            with open("stdin", "w") as file:
                file.write(program["stdin"])
            os.dup2(os.open("stdin", os.O_RDONLY), 0)
            os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
            os.dup2(1, 2)
            sys.stdin = open(0, closefd=False)
            before = fine_cpu_seconds(0)
            with contextlib.suppress(BaseException):
                exec(compile(program["source"], "main.py", "exec"), {"__name__": "__main__"})
            sys.stdout.flush()
            os.write(write_end, str((fine_cpu_seconds(0) - before) * 1000).encode())
            os.chdir("/")
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as file:
        text = file.read()
    os.waitpid(pid, 0)
    return float(text)


def measure_python(program):
    import_all(program["source"])
    gc.collect()
    gc.freeze()
    return statistics.median(run_once(program) for _ in range(ROUNDS))


def measure_javascript(program, node):
    text = json.dumps([program["source"], ROUNDS])
    done = subprocess.run([node, "-e", NODE_HARNESS], input=text, capture_output=True, text=True, cwd=tempfile.gettempdir())
    return float(done.stdout)


def main():
    packages, node = sys.argv[1:]
    sys.path.insert(0, packages)
    sys.modules["__main__"].__dict__.pop("__file__", None)
    with open(PROGRAMS, encoding="utf8") as file:
        programs = [json.loads(line) for line in file]
    for program in programs:
        if program["expect"]["outcome"] == "wall_limit":
            program["warm_cpu_ms"] = None
        elif program["runtime"] == "python":
            program["warm_cpu_ms"] = round(measure_python(program), 1)
        else:
            program["warm_cpu_ms"] = round(measure_javascript(program, node), 1)
        print(program["warm_cpu_ms"], program["kind"], file=sys.stderr)
    with open(PROGRAMS, "w", encoding="utf8") as file:
        for program in programs:
            file.write(json.dumps(program, ensure_ascii=False) + "\n")


main()
