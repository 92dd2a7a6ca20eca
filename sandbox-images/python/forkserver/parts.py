"""A session that is one program, which comes in parts: what `program.run` runs in place of a whole source.

The parts are one source. Each is compiled with the line numbers that it has there and runs in the program's `__main__`;
the first that raises ends the program, and so does the end of the last. Between parts the program may be forked. To
flush, to handle signals or to touch random state is left to the program: a whole one would not do so in this place.
"""

import linecache
import os
import random

import _slot
from program import PATH

LAST = 64

_next = _slot.session_next
_ready = _slot.session_ready
_done = _slot.session_done
_fork = _slot.session_fork
_own = _slot.session_own
_lines = linecache.cache
_open = os.open
_write = os.write
_close = os.close
_compile = compile
_getstate = random.getstate
_setstate = random.setstate


def _store(text):
    """Where a traceback finds the lines of the program."""
    file = _open(PATH, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    while text:
        text = text[_write(file, text) :]
    _close(file)
    _lines.pop(PATH, None)


def _branch(reseed):
    """Forks this program; in the fork it goes on with parts of its own."""
    before = None if reseed else _getstate()
    if not _fork():
        return
    if before is not None:
        _setstate(before)
    _ready()


def code():
    """Yields the code of each part as it comes."""
    text = b""
    _own()
    _ready()
    while True:
        order = _next()
        if isinstance(order, bool):
            _branch(order)
        elif isinstance(order, str):
            _write(2, f"{order}\n".encode())
            _done(1, b"")
        else:
            flags, source = order
            line = text.count(b"\n")
            text += source
            _store(text)
            yield _compile(b"\n" * line + source, PATH, "exec", dont_inherit=True)
            if flags & LAST:
                return
            # A child that the program forked, and that came here, is not the session.
            _own()
            _done(0, b"")
