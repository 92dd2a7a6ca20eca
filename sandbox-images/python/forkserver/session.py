"""The interpreter of a session: runs one call after another in one namespace, and is forked between them.

What the next call relies on is bound here before the first, and made right again before each: a program that closes its
streams, catches its interrupt or leaves a child behind in this loop hurts no call but its own.
"""

import ast
import gc
import io
import linecache
import os
import random
import signal
import sys
import traceback

import _slot
import program

CELL = 1
#: What a call's own source is called in tracebacks.
NAME = "<cell {}>"

_next = _slot.session_next
_ready = _slot.session_ready
_done = _slot.session_done
_fork = _slot.session_fork
_own = _slot.session_own
_signal = signal.signal
_interrupt = signal.default_int_handler
_parse = ast.parse
_print_exception = traceback.print_exception
_lines = linecache.cache

#: Descriptors of the session's output that stay open whatever a program closes.
SPARE_OUT, SPARE_ERR = 1022, 1021


def _ignore(*_):
    """An interrupt that came too late for its call."""


class _Streams:
    """The standard streams: input is each call's own, output is the session's."""

    def __init__(self):
        self.input = sys.stdin

    def renew(self):
        # A program's own stream is left alone: it may have one on purpose.
        if sys.stdin is self.input or getattr(sys.stdin, "closed", True):
            raw = io.FileIO(0, closefd=False)
            self.input = io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8", errors="surrogateescape")
            sys.stdin = sys.__stdin__ = self.input
        if getattr(sys.stdout, "closed", True):
            sys.stdout = sys.__stdout__ = self.output(SPARE_OUT, "surrogateescape")
        if getattr(sys.stderr, "closed", True):
            sys.stderr = sys.__stderr__ = self.output(SPARE_ERR, "backslashreplace")

    def output(self, descriptor, errors):
        raw = io.FileIO(os.dup(descriptor), "w")
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors=errors, line_buffering=True)


class _Session:
    def __init__(self, namespace):
        self.namespace = namespace
        self.streams = _Streams()
        self.count = 0
        #: `from __future__` imports hold for the cells after them.
        self.flags = 0

    def run(self, source, cell, report):
        """Runs one source; returns its exit code."""
        self.count += 1
        name = NAME.format(self.count)
        text = source.decode("utf-8", "replace")
        # Carets stand where they should only below lines that end.
        _lines[name] = (len(text), None, f"{text}\n".splitlines(True), name)
        try:
            value = self.evaluate(source, name, cell)
            if value is not None:
                program.fill(report, value=value[: program.REPORT_TEXT_MAX])
        except SystemExit as error:
            return program.exit_code(error)
        except BaseException as error:
            self.show(error, name, report)
            error.__traceback__ = None
            return 1
        return 0

    def evaluate(self, source, name, cell):
        tree = compile(source, name, "exec", self.flags | ast.PyCF_ONLY_AST, dont_inherit=True)
        body = tree.body
        last = body.pop() if cell and body and isinstance(body[-1], ast.Expr) else None
        code = compile(tree, name, "exec", self.flags, dont_inherit=True)
        self.flags |= code.co_flags & program.FUTURE_FLAGS
        exec(code, self.namespace)
        if last is None:
            return None
        value = eval(compile(ast.Expression(last.value), name, "eval", self.flags, dont_inherit=True), self.namespace)
        return None if value is None else repr(value)

    def show(self, error, name, report):
        """Prints a traceback with the program's own frames only, by the program's own hook if it has one."""
        own = error.__traceback__
        while own is not None and own.tb_frame.f_code.co_filename == __file__:
            own = own.tb_next
        error.__traceback__ = own
        program.fill(report, error=program.describe(error, name))
        try:
            sys.stdout.flush()
        except BaseException:
            pass
        try:
            if sys.excepthook is not sys.__excepthook__:
                sys.excepthook(type(error), error, own)
            else:
                _print_exception(type(error), error, own, file=sys.stderr)
        except BaseException:
            pass

    def call(self, flags, source):
        report = bytearray(4)
        code = 1
        try:
            try:
                self.streams.renew()
                _signal(signal.SIGINT, _interrupt)
                code = self.run(source, bool(flags & CELL), report)
            finally:
                self.calm()
        except BaseException:
            # An interrupt that came just as its call was done.
            pass
        # A child that the program forked, and that came here, is not the session.
        program.flush()
        _own()
        _done(code, bytes(report[4:]))

    def calm(self):
        """From here on an interrupt means nothing."""
        while True:
            try:
                _signal(signal.SIGINT, _ignore)
                return
            except KeyboardInterrupt:
                continue

    def fork(self, reseed):
        before = None if reseed else random.getstate()
        if not _fork():
            return
        if before is not None:
            random.setstate(before)
        _ready()


def serve(env):
    """Serves the session's calls. Does not return."""
    for entry in env:
        name, _, value = entry.partition(b"=")
        os.environb[name] = value
    main = sys.modules["__main__"]
    del main.__file__, main.__cached__
    main.__loader__ = None
    session = _Session(main.__dict__)
    session.calm()
    program.reseed()
    gc.enable()
    _own()
    _ready()
    while True:
        order = _next()
        if isinstance(order, bool):
            session.fork(order)
        elif isinstance(order, str):
            print(order, file=sys.stderr, flush=True)
            _done(1, b"")
        else:
            session.call(*order)
