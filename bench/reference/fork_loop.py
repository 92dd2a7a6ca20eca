"""The bare fork loop: one interpreter with its modules imported forks, runs the source in the child, exits, waits.

No isolation, no transport, no capture: the least that a fresh process state can cost. Three figures of the same
process: `warm_ms`, what each program's own computing takes in such a child, and over `order` `cpu_ms`, all CPU time
of the loop, and `own_ms`, what of it was the programs' own computing in those very children.

Usage: fork_loop.py REQUEST, a JSON file:
    preload_directory   where preload.py of the fork server is
    sys_path            directories of packages
    modules             modules to import before the first fork
    programs            [{source, stdin}]
    order               indices of programs, in the order of the loop
    rounds              times that each program is run for its warm figure
"""

import contextlib
import gc
import json
import mmap
import os
import resource
import struct
import sys
import tempfile
import time
import types


def cpu_seconds():
    """CPU time of this process and of the children that it waited for."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def run_source(code_source):
    """Runs a program as a script and gives its exit code."""
    # Where pickle finds what the program defined, as multiprocessing needs it.
    sys.modules["__main__"] = main_module = types.ModuleType("__main__")
    try:
        exec(compile(code_source, "main.py", "exec", dont_inherit=True), main_module.__dict__)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def become(program):
    """Makes this child's standard input that of the program."""
    os.lseek(program["input"], 0, os.SEEK_SET)
    os.dup2(program["input"], 0)


def call(program, shared):
    """One turn of the loop; gives the CPU time of the program's own computing. Seconds."""
    pid = os.fork()
    if pid == 0:
        become(program)
        before = cpu_seconds()
        code = run_source(program["source"])
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        shared[:8] = struct.pack("d", cpu_seconds() - before)
        os._exit(code & 0xFF)
    os.waitpid(pid, 0)
    return struct.unpack("d", shared[:8])[0]


def warm_ms(program, rounds, shared):
    """Mean CPU time of the program's own computing. Milliseconds."""
    return sum(call(program, shared) for _ in range(rounds)) * 1000 / rounds


def store_input(directory, index, text):
    path = os.path.join(directory, f"input-{index}")
    with open(path, "w", encoding="utf8") as file:
        file.write(text)
    return os.open(path, os.O_RDONLY)


def main():
    with open(sys.argv[1], encoding="utf8") as file:
        request = json.load(file)
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
    os.dup2(1, 2)
    sys.path.insert(0, request["preload_directory"])
    import preload

    missing = preload.preload(request["modules"], request["sys_path"])
    shared = mmap.mmap(-1, mmap.PAGESIZE)
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        programs = [
            {**program, "input": store_input(directory, index, program["stdin"])}
            for index, program in enumerate(request["programs"])
        ]
        gc.collect()
        gc.freeze()
        warm = [warm_ms(program, request["rounds"], shared) for program in programs]
        started, used = time.monotonic(), cpu_seconds()
        own = sum(call(programs[index], shared) for index in request["order"])
        result = {
            "missing": missing,
            "warm_ms": warm,
            "calls": len(request["order"]),
            "elapsed_ms": (time.monotonic() - started) * 1000,
            "cpu_ms": (cpu_seconds() - used) * 1000,
            "own_ms": own * 1000,
        }
        os.chdir("/")
    json.dump(result, answer)
    answer.flush()
    os._exit(0)


main()
