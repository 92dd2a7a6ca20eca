"""Runs one program as `python3 file.py` would, in the process that was forked for it.

Everything used after the program has started is bound here before, so that a program that patches a
module patches its own copy only.
"""

import ast
import atexit
import gc
import json
import linecache
import os
import random
import signal
import sys
import threading
import types
from importlib.machinery import SourceFileLoader

WORK_DIRECTORY = "/work"
#: Where the source of every program is stored.
PATH = f"{WORK_DIRECTORY}/main.py"
#: Characters of a message or value; six bytes each at most fit the report.
REPORT_TEXT_MAX = 32 * 1024

_dumps = json.dumps
_exit = os._exit
_thread_shutdown = threading._shutdown
_run_exit_functions = atexit._run_exitfuncs
_collect = gc.collect
_parse = ast.parse
_Expression = ast.Expression
_Expr = ast.Expr

def _here(argument):
    """A path in the working directory, which is elsewhere where there are no mounts."""
    prefix = WORK_DIRECTORY.encode() + b"/"
    return os.path.join(os.getcwdb(), argument[len(prefix) :]) if argument.startswith(prefix) else argument


def execute(argv, env):
    """Replaces this process by a command line. Does not return."""
    argv = [_here(argument) for argument in argv]
    environment = {**os.environb, **dict(entry.split(b"=", 1) for entry in env)}
    try:
        os.execvpe(argv[0], argv, environment)
    except OSError as error:
        os.write(2, f"cannot execute {os.fsdecode(argv[0])}: {error.strerror}\n".encode())
    os._exit(127)


def reseed():
    """Gives this call random state of its own; it costs some 280 page faults."""
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    sympy_random = sys.modules.get("sympy.core.random")
    if sympy_random is not None:
        sympy_random.seed()


def prepare():
    """Makes ready, once and before the first fork, the `__main__` that `python3 file.py` makes for its program."""
    global _server, _namespace
    _server = sys.modules["__main__"]
    module = types.ModuleType("__main__")
    module.__file__ = PATH
    module.__cached__ = None
    module.__builtins__ = sys.modules["builtins"]
    module.__loader__ = SourceFileLoader("__main__", PATH)
    sys.modules["__main__"] = module
    sys.argv[:] = [PATH]
    sys.path.insert(0, WORK_DIRECTORY)
    # What a program printed before a limit ended it is kept, up to its last whole line.
    sys.stdout.reconfigure(line_buffering=True)
    _namespace = module.__dict__


def _run_cell(source):
    """Runs a cell; returns the repr of a last bare expression, or None."""
    tree = _parse(source, PATH)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], _Expr) else None
    # Both parts see the same `from __future__` imports, as flags of the first.
    code = compile(tree, PATH, "exec", dont_inherit=True)
    exec(code, _namespace)
    if last is None:
        return None
    flags = code.co_flags & FUTURE_FLAGS
    value = eval(compile(_Expression(last.value), PATH, "eval", flags, dont_inherit=True), _namespace)
    return None if value is None else repr(value)


import __future__

FUTURE_FLAGS = 0
for _name in __future__.all_feature_names:
    FUTURE_FLAGS |= getattr(__future__, _name).compiler_flag


def exit_code(error):
    """The exit status of a SystemExit, whose message it prints, as the interpreter does."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    try:
        sys.stdout.flush()
    except Exception:
        pass
    print(code, file=sys.stderr)
    return 1


def describe(error, path=PATH):
    """Type, message and line of an uncaught exception, for the Result; `path` is that of the program's own source."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == path else None
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == path:
            line = frame.tb_lineno
        frame = frame.tb_next
    try:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
    except BaseException:
        message = ""
    return {"type": name, "message": str(message)[:REPORT_TEXT_MAX], "line": line if isinstance(line, int) else None}


def fill(report, **fields):
    """Writes what the program says about itself where its slot reads it."""
    try:
        text = _dumps(fields, ensure_ascii=False).encode("utf-8", "replace")
        report[4 : 4 + len(text)] = text
        report[:4] = len(text).to_bytes(4, "little")
    except BaseException:
        pass


def _show_uncaught(error, report):
    """Prints a traceback with the program's own frames only. Returns the exit code, or None for a Ctrl-C."""
    own = error.__traceback__
    while own is not None and own.tb_frame.f_code.co_filename == __file__:
        own = own.tb_next
    error.__traceback__ = own
    fill(report, error=describe(error))
    try:
        sys.stdout.flush()
    except BaseException:
        pass
    try:
        sys.excepthook(type(error), error, own)
    except SystemExit as exit:
        return exit_code(exit)
    except BaseException:
        sys.__excepthook__(type(error), error, own)
    return None if isinstance(error, KeyboardInterrupt) else 1


def _finish():
    """What the interpreter does at its end: threads, exit functions, files that nobody closed."""
    _thread_shutdown()
    _run_exit_functions()
    logging = sys.modules.get("logging")
    if logging is not None:
        logging.shutdown()
    processes = sys.modules.get("multiprocessing.util")
    if processes is not None:
        processes._exit_function()
    _namespace.clear()
    _collect()


def flush():
    """False when output was lost, which the interpreter answers with exit code 120."""
    flushed = True
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException:
            flushed = False
    return flushed


def _whole(source):
    """The code of a program that is there as a whole."""
    yield compile(source, PATH, "exec", dont_inherit=True)


def _run(source, parts, report, cell, finish):
    """Runs a program to its end; returns the exit code, or None for a Ctrl-C."""
    code = 0
    try:
        try:
            if cell:
                value = _run_cell(source)
                if value is not None:
                    fill(report, value=value[:REPORT_TEXT_MAX])
            else:
                # In parts or not, a program finds the same frames below its own.
                for part in parts or _whole(source):
                    exec(part, _namespace)
        except SystemExit as error:
            code = exit_code(error)
        except BaseException as error:
            code = _show_uncaught(error, report)
            error.__traceback__ = None
        if finish:
            _finish()
    except SystemExit as error:
        code = exit_code(error)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    return code


def run(source, argv, env, report, *, parts, cell, fresh_random, finish):
    """Runs a program and ends this process. Does not return.

    parts         the code of a program that comes in parts, instead of the source; None for any other
    cell          also report the repr of a last bare expression
    fresh_random  the program could tell inherited random state from its own
    finish        the program may have left something to be done at its end
    """
    for entry in env:
        name, _, value = entry.partition(b"=")
        os.environb[name] = value
    here = os.getcwd()
    if here != WORK_DIRECTORY:
        sys.path[0] = here
        # For the lines that a traceback shows.
        linecache.cache[PATH] = (lambda: source.decode("utf-8", "replace"),)
    if argv:
        sys.argv[1:] = map(os.fsdecode, argv)
    if fresh_random:
        reseed()
    gc.enable()
    code = _run(source, parts, report, cell, finish)
    flushed = flush()
    if code is None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    _exit(code if flushed or code else 120)
