"""A Result as text for a model."""

from __future__ import annotations

import re

from .types import Result

#: What a model is told of a limit. Exception-like, so that those who count errors by the word see them.
_LIMITS = {
    "wall_limit": "TimeoutError: the program did not end within its time limit",
    "cpu_limit": "TimeoutError: the program used up its CPU time",
    "memory_limit": "MemoryError: the program used up its memory",
    "output_limit": "OutputError: the program wrote more than is kept",
    "process_limit": "ProcessError: the program started too many processes",
    "disk_limit": "DiskError: the program wrote too many files",
}
_TRACEBACK = re.compile(r'(?:\A|(?<=\n))(?:Traceback \(most recent call last\):\n|  File "[^"]*", line \d+\n)')


def observation(result: Result, *, empty: str = "(no output)") -> str:
    """stdout, the value of a last expression, stderr, and which limit was met."""
    parts = [result.stdout, result.value or "", result.stderr, _LIMITS.get(result.outcome, "")]
    if result.outcome == "signaled":
        parts.append(f"the program was ended by {result.signal}")
    text = "\n".join(part.rstrip("\n") for part in parts if part.strip("\n"))
    return text or empty


def without_traceback(stderr: str) -> str:
    """What the program itself wrote to stderr: the last traceback, with which it ended, is cut off."""
    found = list(_TRACEBACK.finditer(stderr))
    whole = [match for match in found if match.group().startswith("Traceback")]
    # A syntax error has no head, only the line that names its file.
    ends = whole or found
    return stderr[: ends[-1].start()] if ends else stderr
