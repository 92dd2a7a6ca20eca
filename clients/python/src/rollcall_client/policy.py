"""How long is waited, and what is sent again.

Sent again is only what the service did not begin: it said that it could not take the request now, or the connection
broke before an answer began. Every call has an id, so one that did arrive is joined while it runs and not run twice.
A call or a fork in a session is sent once, for it changes the session.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from .errors import RollcallError

#: Codes that say "not now".
_AGAIN = frozenset({"queue_full", "deadline_unmeetable", "draining"})
_WAIT_FIRST = 0.05


class NotAnswered(Exception):
    """The connection broke, or never opened, before an answer began."""


@dataclass(frozen=True)
class RetryPolicy:
    #: Times that a request is sent at most.
    attempts_max: int = 6
    #: Longest wait before another attempt. Seconds.
    wait_max: float = 10.0

    def wait(self, error: Exception, attempt: int) -> float | None:
        """Seconds to wait before another attempt after ``attempt`` (from 0) failed, or None for none."""
        again = isinstance(error, NotAnswered) or (isinstance(error, RollcallError) and error.code in _AGAIN)
        if not again or attempt + 1 >= self.attempts_max:
            return None
        asked = error.retry_after if isinstance(error, RollcallError) else None
        # Spread, so that callers refused together do not come back together.
        if asked is not None:
            return min(asked * (1 + random.random() / 4), self.wait_max)
        return min(_WAIT_FIRST * 2.0**attempt, self.wait_max) * (0.5 + random.random() / 2)


@dataclass(frozen=True)
class Timeouts:
    #: For a connection to open. Seconds.
    connect: float = 10.0
    #: Longest silence of the service while an answer is waited for, queue time included. Seconds.
    answer: float = 1800.0
