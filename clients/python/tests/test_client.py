"""The client against a running service: ROLLCALL_URL says where."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import httpx
import pytest

from rollcall_client import AsyncClient, Client, RetryPolicy, RollcallError, Timeouts

URL = os.environ["ROLLCALL_URL"]


def test_call() -> None:
    with Client(URL) as client:
        result = client.run("print(6 * 7)")
        assert result.ok and result.stdout == "42\n" and result.may_become_reward
        failed = client.execute({"runtime": "python", "source": "x = 1\n1 / 0", "id": "mine"})
        assert (failed.id, failed.outcome, failed.exit_code) == ("mine", "failed", 1)
        assert failed.error is not None
        assert (failed.error.type, failed.error.line) == ("ZeroDivisionError", 2)
        assert client.run("6 * 7", mode="cell").value == "42"


def test_files_and_limits() -> None:
    with Client(URL) as client:
        source = "open('b.bin', 'wb').write(open('a.txt', 'rb').read() + b'\\xff')"
        result = client.run(source, files={"a.txt": "é"}, collect=["b.bin", "none"])
        assert result.files["b.bin"].bytes == "é".encode() + b"\xff"
        assert result.files["none"].error == "not_found"
        late = client.run("import time\nprint('so far', flush=True)\ntime.sleep(60)", limits={"wall_ms": 300})
        assert (late.outcome, late.stdout) == ("wall_limit", "so far\n")


def test_refusals_name_the_field() -> None:
    with Client(URL) as client:
        with pytest.raises(RollcallError) as refused:
            client.run("print(1)", limits={"wall_ms": 10**9})
        assert refused.value.code == "limit_above_ceiling"
        assert (refused.value.path, refused.value.status, refused.value.fault) == ("/limits/wall_ms", 400, "caller")


def test_batch_streams_each_result_once() -> None:
    # U+2028 is a line end to str.splitlines, and none in the stream.
    calls = [{"runtime": "python", "source": f"print('\\u2028' + str({index}))"} for index in range(20)]
    calls[0]["source"] = "import time\ntime.sleep(1)\nprint('last')"
    with Client(URL) as client:
        items = list(client.execute_batch(calls))
        assert sorted(item.index for item in items) == list(range(20))
        assert items[-1].index == 0
        assert client.execute_all(calls[1:3])[1].stdout == "\u20282\n"
        with pytest.raises(RollcallError) as refused:
            client.execute_batch([*calls, {"runtime": "cobol", "source": ""}])
        assert refused.value.code == "unknown_runtime"


def test_info_and_verify() -> None:
    with Client(URL) as client:
        assert client.info()["service"] == "rollcall"
        verdict = client.verify({"kind": "exact", "answer": " 42", "expected": "42"})
        assert (verdict.verdict, verdict.reward) == ("accepted", 1)
        program = {"runtime": "python", "source": "print(int(input()) + 1)"}
        cases = [{"stdin": "1", "expected_stdout": "2"}, {"stdin": "2", "expected_stdout": "4"}]
        wrong = client.verify({"kind": "stdio", "program": program, "cases": cases, "with_results": True})
        assert (wrong.verdict, wrong.reward, wrong.passed, wrong.total) == ("wrong_answer", 0, 1, 2)
        assert wrong.cases[0].result is not None and wrong.cases[0].result.stdout == "2\n"
        checks = [{"kind": "numeric", "answer": index, "expected": 1} for index in range(3)]
        items = {item.index: item.verdict.reward for item in client.verify_batch(checks)}
        assert items == {0: 0, 1: 1, 2: 0}


def test_program_in_parts() -> None:
    with Client(URL) as client, client.open_session(program=True, imports=["sympy"]) as session:
        session.execute("import sys")
        [fork] = session.fork()
        ended = fork.execute("print(__file__)\nsys.exit(3)", mode="last")
        assert (ended.stdout, ended.exit_code) == ("/work/main.py\n", 3)


def test_session() -> None:
    with Client(URL) as client, client.open_session() as session:
        session.execute("x = [1]")
        assert session.execute("1 / 0").session_state == "kept"
        [fork] = session.fork()
        fork.execute("x.append(2)")
        assert (session.execute("x").value, fork.execute("x").value) == ("[1]", "[1, 2]")
        assert {session.id, fork.id} <= {info.id for info in client.list_sessions()}
        assert fork.describe().parent == session.id
        fork.close()
        fork.close()
        with pytest.raises(RollcallError) as closed:
            fork.execute("x")
        assert closed.value.code in ("session_closed", "session_not_found")
        assert client.find_session(session.id).execute("len(x)").value == "1"


def test_everything_at_once_asynchronously() -> None:
    async def main() -> None:
        async with AsyncClient(URL, connections=16) as client:
            results = await asyncio.gather(*(client.run(f"print({index})") for index in range(40)))
            assert [result.stdout for result in results] == [f"{index}\n" for index in range(40)]
            calls = [{"runtime": "python", "source": f"print({index})"} for index in range(5)]
            found = {item.index: item.result.stdout async for item in await client.execute_batch(calls)}
            assert found == {index: f"{index}\n" for index in range(5)}
            async with await client.open_session() as session:
                await session.execute("y = 2")
                assert (await session.execute("y")).value == "2"
            verdicts = [
                item async for item in await client.verify_batch([{"kind": "exact", "answer": "", "expected": ""}])
            ]
            assert verdicts[0].verdict.reward == 1

    asyncio.run(main())


def test_a_call_that_its_caller_gives_up_is_cancelled() -> None:
    async def main() -> None:
        async with AsyncClient(URL) as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.run("import time\ntime.sleep(60)", limits={"wall_ms": 60_000}), 0.5)
            assert (await client.run("print(1)")).ok

    asyncio.run(main())


# What no healthy service does is made here: a transport that answers as one in trouble.

ANSWER = {
    "id": "a", "outcome": "completed", "exit_code": 0, "signal": None, "stdout": "1\n", "stderr": "",
    "output_encoding": "utf8", "truncated": {"stdout": 0, "stderr": 0}, "error": None, "value": None, "files": {},
    "usage": {"wall_ms": 1, "cpu_ms": 1, "memory_peak_bytes": 1, "processes": 1},
    "timing": {"queued_ms": 0, "started_ms": 0, "run_ms": 1}, "detail": None,
}  # fmt: skip


def refusal(code: str, status: int, retry_after_ms: int | None = None) -> httpx.Response:
    error: dict[str, Any] = {"code": code, "message": "told", "fault": "service", "retryable": True}
    if retry_after_ms is not None:
        error["retry_after_ms"] = retry_after_ms
    return httpx.Response(status, json={"error": error})


class Scripted(httpx.BaseTransport):
    """Answers one request after the other from a list; an exception is raised."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.ids: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.ids.append(json.loads(request.read()).get("id"))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


QUICK = RetryPolicy(attempts_max=3, wait_max=0.01)


@pytest.mark.parametrize(
    "trouble",
    [
        refusal("queue_full", 429, 1),
        refusal("draining", 503),
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("gone"),
    ],
    ids=["queue_full", "draining", "no connection", "reset", "broken off"],
)
def test_sent_again_under_the_same_id(trouble: httpx.Response | Exception) -> None:
    transport = Scripted(trouble, httpx.Response(200, json=ANSWER))
    with Client("http://x", transport=transport, retry=QUICK) as client:
        assert client.run("print(1)").stdout == "1\n"
    assert len(transport.ids) == 2 and transport.ids[0] == transport.ids[1]


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (refusal("invalid_call", 400), "invalid_call"),
        (refusal("internal", 500), "internal"),
        (httpx.Response(502, text="<html>proxy</html>"), "unreachable"),
        (httpx.ReadTimeout("silence"), "unreachable"),
    ],
)
def test_not_sent_again(trouble: httpx.Response | Exception, code: str) -> None:
    transport = Scripted(trouble)
    with Client("http://x", transport=transport, retry=QUICK) as client, pytest.raises(RollcallError) as told:
        client.run("print(1)")
    assert told.value.code == code and len(transport.ids) == 1


def test_attempts_are_bounded() -> None:
    transport = Scripted(*(refusal("queue_full", 429) for _ in range(3)))
    with Client("http://x", transport=transport, retry=QUICK) as client, pytest.raises(RollcallError) as told:
        client.run("print(1)")
    assert told.value.code == "queue_full" and len(transport.ids) == 3


def test_what_changes_a_session_is_sent_once() -> None:
    opened = {
        "id": "s", "runtime": "python", "state": "idle", "detail": None, "parent": None, "calls": 0, "waiting": 0,
        "idle_ms": 1, "total_ms": 1, "age_ms": 1, "unused_ms": 1,
    }  # fmt: skip
    transport = Scripted(httpx.Response(200, json=opened), httpx.ReadError("reset"))
    with Client("http://x", transport=transport, retry=QUICK) as client:
        session = client.open_session()
        with pytest.raises(RollcallError) as told:
            session.execute("x = 1")
    assert told.value.code == "unreachable" and transport.answers == []


@pytest.mark.parametrize("rest", ["", '{"done":true,"count":1}\n', '{"error":{"code":"internal","message":"a bug"}}\n'])
def test_a_stream_that_lacks_an_item_raises(rest: str) -> None:
    text = json.dumps({"index": 1, "result": ANSWER}) + "\n" + rest
    with Client("http://x", transport=Scripted(httpx.Response(200, text=text))) as client:
        items = client.execute_batch([{"runtime": "python", "source": ""}] * 2)
        assert next(items).index == 1
        with pytest.raises(RollcallError) as told:
            next(items)
    assert told.value.code == ("internal" if "error" in rest else "unreachable")


def test_no_service_there() -> None:
    with Client("http://127.0.0.1:9", retry=QUICK, timeouts=Timeouts(connect=1)) as client:
        with pytest.raises(RollcallError) as told:
            client.run("print(1)")
    assert told.value.code == "unreachable"
