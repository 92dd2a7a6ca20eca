"""The synchronous client."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import httpx

from . import protocol
from .errors import RollcallError, error_from_answer
from .policy import RetryPolicy, Timeouts
from .types import (
    BatchItem,
    Call,
    Limits,
    Result,
    Runtime,
    SessionInfo,
    Verdict,
    VerdictItem,
    result_from,
    session_from,
    verdict_from,
)

T = TypeVar("T")


class Client:
    """The service at ``base_url``. Connections are kept; use it as a context manager, or ``close`` it.

    ``connections`` bounds the requests in flight; more wait here.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8707",
        *,
        key: str | None = None,
        connections: int = 64,
        retry: RetryPolicy = RetryPolicy(),
        timeouts: Timeouts = Timeouts(),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._retry = retry
        self._http = httpx.Client(transport=transport, **protocol.settings(base_url, key, connections, timeouts))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def execute(self, call: Call | Mapping[str, Any]) -> Result:
        """Carries one call out. Raises RollcallError when it was not accepted, never for what the program did."""
        return result_from(self._ask("POST", "/v1/calls", protocol.named(call), again=True))

    def run(
        self,
        source: str,
        *,
        runtime: Runtime = "python",
        stdin: str | None = None,
        files: Mapping[str, str] | None = None,
        collect: Sequence[str] | None = None,
        limits: Limits | None = None,
        mode: str | None = None,
    ) -> Result:
        """:meth:`execute` for a program and what usually goes with it."""
        call = {"runtime": runtime, "source": source, "stdin": stdin, "files": files, "collect": collect}
        return self.execute(protocol.without_none({**call, "limits": limits, "mode": mode}))

    def execute_batch(self, calls: Sequence[Call | Mapping[str, Any]]) -> Iterator[BatchItem]:
        """Sends all calls at once; yields each Result the moment it is there. All calls are accepted, or none."""
        body = {"calls": [protocol.named(call) for call in calls]}
        reader = protocol.LineReader(len(calls), "result", lambda index, value: BatchItem(index, result_from(value)))
        return self._stream("/v1/batches", body, reader)

    def execute_all(self, calls: Sequence[Call | Mapping[str, Any]]) -> list[Result]:
        """The Results of a batch in the order of its calls."""
        found = [item for item in self.execute_batch(calls)]
        return [item.result for item in sorted(found, key=lambda item: item.index)]

    def verify(self, check: Mapping[str, Any]) -> Verdict:
        """Judges one answer or program: docs/verification.md of the service."""
        return verdict_from(self._ask("POST", "/v1/verify", protocol.named(check), again=True))

    def verify_batch(self, checks: Sequence[Mapping[str, Any]]) -> Iterator[VerdictItem]:
        """Judges many; yields each Verdict the moment it is there."""
        reader = protocol.LineReader(
            len(checks), "verdict", lambda index, value: VerdictItem(index, verdict_from(value))
        )
        return self._stream("/v1/verify/batch", {"verifications": list(checks)}, reader)

    def info(self) -> dict[str, Any]:
        """``GET /v1/info``: version, runtimes, engines, limits."""
        answer: dict[str, Any] = self._ask("GET", "/v1/info", None, again=True)
        return answer

    def open_session(
        self,
        runtime: Runtime = "python",
        *,
        id: str | None = None,
        limits: Limits | None = None,
        files: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        imports: Sequence[str] | None = None,
        program: bool | None = None,
        idle_ms: int | None = None,
        total_ms: int | None = None,
    ) -> Session:
        """A live interpreter that keeps its state between calls. Sent once: an opening is not repeated.

        imports: modules that its calls will import
        program: its calls are the parts of one program, the last of them with mode ``last``
        """
        spec = {"runtime": runtime, "id": id, "limits": limits, "files": files, "env": env}
        body = protocol.without_none(
            {**spec, "imports": imports, "program": program, "idle_ms": idle_ms, "total_ms": total_ms}
        )
        opened = session_from(self._ask("POST", "/v1/sessions", body, again=False))
        return Session(self, opened.id)

    def find_session(self, session_id: str) -> Session:
        """An open session by its id. Raises RollcallError ``session_not_found``."""
        found = session_from(self._ask("GET", protocol.session_path(session_id), None, again=True))
        return Session(self, found.id)

    def list_sessions(self) -> list[SessionInfo]:
        answer = self._ask("GET", "/v1/sessions", None, again=True)
        return [session_from(value) for value in answer["sessions"]]

    def _send(self, method: str, path: str, body: object, accept: str) -> httpx.Response:
        """The answer, its body unread, when its status is 200."""
        request = self._http.build_request(method, path, json=body, headers={"accept": accept})
        try:
            answer = self._http.send(request, stream=True)
        except httpx.HTTPError as error:
            raise protocol.failure_of(error) from error
        if answer.status_code == 200:
            return answer
        read = bytearray()
        try:
            for chunk in answer.iter_bytes():
                read += chunk
                if len(read) > protocol.ERROR_BYTES_MAX:
                    break
        except httpx.HTTPError:
            pass
        finally:
            answer.close()
        raise error_from_answer(answer.status_code, bytes(read), answer.headers.get("retry-after"))

    def _try(self, method: str, path: str, body: object, accept: str, again: bool) -> httpx.Response:
        attempt = 0
        while True:
            try:
                return self._send(method, path, body, accept)
            except Exception as error:
                wait = self._retry.wait(error, attempt) if again else None
                if wait is None:
                    raise protocol.settled(error) from error
            time.sleep(wait)
            attempt += 1

    def _ask(self, method: str, path: str, body: object, *, again: bool) -> Any:
        answer = self._try(method, path, body, "application/json", again)
        try:
            return protocol.document(answer.read())
        except httpx.HTTPError as error:
            raise protocol.broken_off(error) from error
        finally:
            answer.close()

    def _stream(self, path: str, body: object, reader: protocol.LineReader[T]) -> Iterator[T]:
        answer = self._try("POST", path, body, protocol.NDJSON, True)
        return _items(answer, reader)


def _items(answer: httpx.Response, reader: protocol.LineReader[T]) -> Iterator[T]:
    try:
        for chunk in answer.iter_bytes():
            yield from reader.feed(chunk)
        reader.end()
    except httpx.HTTPError as error:
        raise protocol.broken_off(error) from error
    finally:
        answer.close()


class Session:
    """A live interpreter. Close it, or use it as a context manager; otherwise a deadline of it does."""

    def __init__(self, client: Client, session_id: str) -> None:
        self._client = client
        self._path = protocol.session_path(session_id)
        self.id = session_id

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def execute(
        self,
        source: str,
        *,
        mode: str | None = None,
        stdin: str | None = None,
        files: Mapping[str, str] | None = None,
        collect: Sequence[str] | None = None,
        limits: Limits | None = None,
        deadline_ms: int | None = None,
    ) -> Result:
        """Runs one cell. Sent once: a call whose answer did not come may have changed the session.

        With ``session_state`` ``lost`` in the Result the interpreter is gone, and later calls raise ``session_lost``.
        """
        call = {"source": source, "mode": mode, "stdin": stdin, "files": files, "collect": collect}
        body = protocol.without_none({**call, "limits": limits, "deadline_ms": deadline_ms})
        return result_from(self._client._ask("POST", f"{self._path}/calls", body, again=False))

    def fork(self, count: int = 1, *, reseed: bool = True) -> list[Session]:
        """New sessions that begin where this one stands."""
        body = {"count": count, "reseed": reseed}
        answer = self._client._ask("POST", f"{self._path}/fork", body, again=False)
        return [Session(self._client, session_from(value).id) for value in answer["sessions"]]

    def describe(self) -> SessionInfo:
        return session_from(self._client._ask("GET", self._path, None, again=True))

    def close(self) -> None:
        """Ends the interpreter. Closing one that is gone changes nothing."""
        try:
            self._client._ask("DELETE", self._path, None, again=True)
        except RollcallError as error:
            if error.code != "session_not_found":
                raise
