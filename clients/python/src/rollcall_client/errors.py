"""The one exception: the call was not carried out. What a program did is never raised."""

from __future__ import annotations

import json
from typing import Any


class RollcallError(Exception):
    """A request that was not carried out.

    ``code`` is stable and listed in docs/errors.md of the service. ``unreachable`` is made here: no answer came,
    or one that is not Rollcall's.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        fault: str = "service",
        retryable: bool = False,
        path: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fault = fault
        self.retryable = retryable
        #: JSON pointer to the field at fault.
        self.path = path
        #: Seconds after which another try makes sense.
        self.retry_after = retry_after


def unreachable(message: str, *, status: int | None = None, retry_after: float | None = None) -> RollcallError:
    return RollcallError("unreachable", message, status=status, retryable=True, retry_after=retry_after)


def error_from(body: Any, status: int | None) -> RollcallError | None:
    """The service's ``{"error": ...}``, or None when the body is none."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        return None
    after = error.get("retry_after_ms")
    return RollcallError(
        error["code"],
        str(error.get("message", error["code"])),
        status=status,
        fault=str(error.get("fault", "service")),
        retryable=error.get("retryable") is True,
        path=error.get("path") if isinstance(error.get("path"), str) else None,
        retry_after=after / 1000 if isinstance(after, (int, float)) else None,
    )


def error_from_answer(status: int, body: bytes, retry_after: str | None) -> RollcallError:
    """The error of an answer that is not 200, whoever made it."""
    try:
        known = error_from(json.loads(body), status)
    except ValueError:
        known = None
    if known is not None:
        return known
    try:
        seconds = None if retry_after is None else float(retry_after)
    except ValueError:
        seconds = None
    text = body[:200].decode("utf-8", "replace")
    return unreachable(
        f"something other than the service answered with status {status}: {text}", status=status, retry_after=seconds
    )
