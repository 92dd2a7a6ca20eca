"""What a fork server does before its first fork: imports, and the checks that make forking safe."""

import atexit
import os
import sys

import exercises

#: Modules of the standard library that small programs import most.
STANDARD = (
    "abc ast bisect builtins calendar cmath collections contextlib copy csv dataclasses datetime decimal enum fractions "
    "functools hashlib heapq inspect io itertools json linecache math numbers operator os pathlib pickle pprint "
    "queue random re signal statistics string struct subprocess sys tempfile textwrap threading time timeit "
    "traceback types typing warnings weakref multiprocessing multiprocessing.pool concurrent.futures"
).split()

def preload(modules, sys_path):
    """Imports `modules`; returns the names of those that cannot be imported here."""
    import site

    # `exit`, `quit`, `help` and `copyright`, which -S leaves out.
    site.setquit()
    site.setcopyright()
    site.sethelper()
    for name in STANDARD:
        __import__(name)
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry and os.path.abspath(entry) != own] + sys_path
    missing = []
    for name in modules:
        try:
            __import__(name)
        except ImportError as error:
            missing.append(error.name or name)
    exercises.exercise(modules)
    _keep_exit_functions()
    return missing


def _keep_exit_functions():
    """Of what the preloaded modules want done at the end, keeps what a program could notice."""
    import logging
    import multiprocessing.util

    atexit._clear()
    atexit.register(logging.shutdown)
    atexit.register(multiprocessing.util._exit_function)


def doubt(allowed_descriptors):
    """Why forking this process would not be safe, or None."""
    with open("/proc/self/status") as status:
        threads = next(int(line.split()[1]) for line in status if line.startswith("Threads:"))
    if threads != 1:
        return f"{threads} threads are running: a lock held by one would stay locked in every call"
    descriptors = {int(name) for name in os.listdir("/proc/self/fd")}
    # The listing itself held one more, closed by now.
    unexpected = {fd for fd in descriptors - allowed_descriptors if _is_open(fd)}
    if unexpected:
        return f"descriptors {sorted(unexpected)} are open that calls must not inherit"
    with open("/proc/self/maps") as maps:
        shared = [line.strip() for line in maps if line.split()[1].startswith("rw-s")]
    if shared:
        return f"writable shared memory is mapped: {shared[0]}"
    return None


def _is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
