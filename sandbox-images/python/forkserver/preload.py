"""What a fork server does before its first fork: imports, and the checks that make forking safe."""

import os
import sys

#: Modules of the standard library that small programs import most.
STANDARD = (
    "abc ast bisect builtins calendar cmath collections contextlib copy csv dataclasses datetime decimal enum fractions "
    "functools hashlib heapq inspect io itertools json linecache math numbers operator os pathlib pickle pprint "
    "queue random re signal statistics string struct subprocess sys tempfile textwrap threading time timeit "
    "traceback types typing warnings weakref multiprocessing multiprocessing.pool concurrent.futures"
).split()

#: Reseeds the `random` module's shared generator; taken out of the fork hooks, see `program.reseed`.
reseed_random = None


def _import_random():
    """Imports `random` without its after-fork hook, which costs every call some 30 page faults."""
    global reseed_random
    register = os.register_at_fork

    def capture(*, before=None, after_in_child=None, after_in_parent=None):
        global reseed_random
        reseed_random = after_in_child

    os.register_at_fork = capture
    try:
        import random  # noqa: F401
    finally:
        os.register_at_fork = register


def preload(modules, sys_path):
    """Imports `modules`; returns the names of those that cannot be imported here."""
    _import_random()
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
