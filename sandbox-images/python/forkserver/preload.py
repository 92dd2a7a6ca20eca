"""What a fork server does before its first fork: imports, and the checks that make forking safe."""

import atexit
import gc
import os
import sys

import exercises

#: Modules of the standard library that nearly every program needs, or this server itself. Each further one makes
#: every fork dearer, above all those with shared libraries of their own; import profiles name the rest.
STANDARD = (
    "abc ast bisect cmath collections copy datetime decimal enum fractions functools heapq io itertools json linecache "
    "logging math numbers operator os random re statistics string struct sys threading time traceback types typing "
    "warnings weakref"
).split()


def preload(modules, sys_path):
    """Imports `modules`; returns the names of those that cannot be imported here."""
    import site

    # Nearly all that is made here stays: looking for garbage in between finds none and takes a fifth of the time.
    gc.disable()
    # `exit`, `quit`, `help` and `copyright`, which -S leaves out.
    site.setquit()
    site.setcopyright()
    site.sethelper()
    for name in STANDARD:
        __import__(name)
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry and entry not in sys_path and os.path.abspath(entry) != own]
    sys.path += sys_path
    missing = []
    for name in modules:
        try:
            __import__(name)
        except ImportError as error:
            missing.append(error.name or name)
    exercises.exercise(modules)
    # What the modules want done at the end is of no use to a process that ends by _exit; `program` does the rest.
    atexit._clear()
    gc.enable()
    return missing


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
