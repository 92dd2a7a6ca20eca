"""What is sent and what comes back. Times end in ``_ms`` (milliseconds), sizes in ``_bytes``.

Fields that a newer service adds are ignored here and found in ``raw``.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from .errors import unreachable

Runtime = Literal["python", "javascript", "node", "bash", "cpp"]
Outcome = Literal[
    "completed",
    "failed",
    "signaled",
    "compile_failed",
    "wall_limit",
    "cpu_limit",
    "memory_limit",
    "output_limit",
    "process_limit",
    "disk_limit",
    "cancelled",
    "sandbox_failed",
]
#: Outcomes that say nothing about the program; no reward may be made of them.
NOBODYS_FAULT: frozenset[str] = frozenset({"cancelled", "sandbox_failed"})


class Limits(TypedDict, total=False):
    wall_ms: int
    cpu_ms: int
    memory_bytes: int
    output_bytes: int
    processes: int
    disk_bytes: int


class _CallRequired(TypedDict):
    runtime: Runtime
    source: str


class Call(_CallRequired, total=False):
    """One call, as in docs/http-api.md of the service."""

    stdin: str
    args: list[str]
    files: dict[str, str | dict[str, str]]
    collect: list[str]
    limits: Limits
    env: dict[str, str]
    mode: Literal["script", "cell"]
    output_encoding: Literal["utf8", "base64"]
    id: str
    priority: Literal["high", "normal", "low"]
    deadline_ms: int
    compile_ms: int


@dataclass(frozen=True)
class Usage:
    wall_ms: float
    cpu_ms: float
    memory_peak_bytes: int
    processes: int


@dataclass(frozen=True)
class Timing:
    queued_ms: float
    started_ms: float
    run_ms: float


@dataclass(frozen=True)
class Truncated:
    """Bytes left out of the middle; 0 when all is there."""

    stdout: int
    stderr: int


@dataclass(frozen=True)
class ProgramError:
    """An uncaught exception as the program reported it."""

    type: str
    message: str
    line: int | None


@dataclass(frozen=True)
class CollectedFile:
    content: str | None
    encoding: str | None
    error: str | None

    @property
    def bytes(self) -> bytes:
        """The file's content. Raises FileNotFoundError when there is none; ``error`` says why."""
        if self.content is None:
            raise FileNotFoundError(self.error)
        return base64.b64decode(self.content) if self.encoding == "base64" else self.content.encode()


@dataclass(frozen=True)
class Result:
    id: str
    outcome: Outcome
    exit_code: int | None
    signal: str | None
    stdout: str
    stderr: str
    output_encoding: str
    truncated: Truncated
    error: ProgramError | None
    value: str | None
    files: dict[str, CollectedFile]
    usage: Usage
    timing: Timing
    detail: str | None
    #: In a session: whether its interpreter is still there. None for other calls.
    session_state: Literal["kept", "lost"] | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        return self.outcome == "completed"

    @property
    def may_become_reward(self) -> bool:
        """False when the outcome says nothing about the program: drop the sample."""
        return self.outcome not in NOBODYS_FAULT


def _usage(value: Mapping[str, Any]) -> Usage:
    return Usage(value["wall_ms"], value["cpu_ms"], value["memory_peak_bytes"], value["processes"])


def result_from(value: Any) -> Result:
    """Raises RollcallError ``unreachable`` when the value is no Result."""
    try:
        error, timing, truncated = value["error"], value["timing"], value["truncated"]
        return Result(
            id=value["id"],
            outcome=value["outcome"],
            exit_code=value["exit_code"],
            signal=value["signal"],
            stdout=value["stdout"],
            stderr=value["stderr"],
            output_encoding=value["output_encoding"],
            truncated=Truncated(truncated["stdout"], truncated["stderr"]),
            error=None if error is None else ProgramError(error["type"], error["message"], error["line"]),
            value=value["value"],
            files={
                path: CollectedFile(file.get("content"), file.get("encoding"), file.get("error"))
                for path, file in value["files"].items()
            },
            usage=_usage(value["usage"]),
            timing=Timing(timing["queued_ms"], timing["started_ms"], timing["run_ms"]),
            detail=value["detail"],
            session_state=value["session"]["state"] if "session" in value else None,
            raw=value,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise unreachable(f"the answer is not a Result ({error!r}); is the service of another version?") from error


@dataclass(frozen=True)
class BatchItem:
    #: Place of the call in the batch, from 0.
    index: int
    result: Result


@dataclass(frozen=True)
class CaseVerdict:
    index: int
    verdict: str
    outcome: Outcome | None
    detail: str | None
    wall_ms: float
    result: Result | None


@dataclass(frozen=True)
class Verdict:
    id: str
    kind: str
    verdict: Literal["accepted", "wrong_answer", "program_failed", "limit", "undecided", "excluded"]
    #: 1 or 0; None when the sample must be dropped.
    reward: int | None
    outcome: Outcome | None
    detail: str | None
    passed: int
    total: int
    cases: tuple[CaseVerdict, ...]
    usage: Usage
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def _case_from(value: Mapping[str, Any]) -> CaseVerdict:
    result = value.get("result")
    return CaseVerdict(
        value["index"],
        value["verdict"],
        value["outcome"],
        value["detail"],
        value["wall_ms"],
        None if result is None else result_from(result),
    )


def verdict_from(value: Any) -> Verdict:
    """Raises RollcallError ``unreachable`` when the value is no Verdict."""
    try:
        return Verdict(
            id=value["id"],
            kind=value["kind"],
            verdict=value["verdict"],
            reward=value["reward"],
            outcome=value["outcome"],
            detail=value["detail"],
            passed=value["passed"],
            total=value["total"],
            cases=tuple(_case_from(case) for case in value["cases"]),
            usage=_usage(value["usage"]),
            raw=value,
        )
    except (KeyError, TypeError) as error:
        raise unreachable(f"the answer is not a Verdict ({error!r}); is the service of another version?") from error


@dataclass(frozen=True)
class VerdictItem:
    #: Place of the verification in the batch, from 0.
    index: int
    verdict: Verdict


@dataclass(frozen=True)
class SessionInfo:
    id: str
    runtime: str
    state: Literal["idle", "busy", "lost", "closed"]
    detail: str | None
    parent: str | None
    calls: int
    waiting: int
    idle_ms: int
    total_ms: int
    age_ms: float
    unused_ms: float
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def session_from(value: Any) -> SessionInfo:
    """Raises RollcallError ``unreachable`` when the value describes no session."""
    try:
        return SessionInfo(
            id=value["id"],
            runtime=value["runtime"],
            state=value["state"],
            detail=value["detail"],
            parent=value["parent"],
            calls=value["calls"],
            waiting=value["waiting"],
            idle_ms=value["idle_ms"],
            total_ms=value["total_ms"],
            age_ms=value["age_ms"],
            unused_ms=value["unused_ms"],
            raw=value,
        )
    except (KeyError, TypeError) as error:
        raise unreachable(f"the answer is no session ({error!r}); is the service of another version?") from error
