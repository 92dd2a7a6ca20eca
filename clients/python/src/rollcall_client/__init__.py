"""Client of Rollcall: calls, batches, sessions and verification over HTTP, synchronous and asynchronous."""

from .aio import AsyncClient, AsyncSession
from .client import Client, Session
from .errors import RollcallError
from .policy import RetryPolicy, Timeouts
from .types import (
    BatchItem,
    Call,
    CaseVerdict,
    CollectedFile,
    Limits,
    Outcome,
    ProgramError,
    Result,
    SessionInfo,
    Timing,
    Truncated,
    Usage,
    Verdict,
    VerdictItem,
)

__all__ = [
    "AsyncClient",
    "AsyncSession",
    "BatchItem",
    "Call",
    "CaseVerdict",
    "Client",
    "CollectedFile",
    "Limits",
    "Outcome",
    "ProgramError",
    "Result",
    "RetryPolicy",
    "RollcallError",
    "Session",
    "SessionInfo",
    "Timeouts",
    "Timing",
    "Truncated",
    "Usage",
    "Verdict",
    "VerdictItem",
]
