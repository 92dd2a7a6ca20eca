"""The tools as verl's agent loop drives them: create, execute, release for every call."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
from dataclasses import dataclass
from typing import Any

import pytest

from rollcall_client import verl_function_tool
from rollcall_client.rstar2_tool import JupyterTool, PythonTool
from rollcall_client.verl_base_tool import RESTARTED, RollcallTool

CONFIG = {"base_url": os.environ["ROLLCALL_URL"], "wall_ms": 2000}


@dataclass
class AgentData:
    request_id: str


@dataclass
class FunctionCall:
    name: str
    arguments: str


def run(body: Any) -> Any:
    return asyncio.run(body)


async def use(tool: Any, parameters: dict[str, Any], agent: AgentData | None = None, **create: Any) -> str:
    instance, _ = await tool.create(**create)
    try:
        response, reward, metrics = await tool.execute(instance, parameters, agent_data=agent)
    finally:
        await tool.release(instance)
    assert reward == 0.0 and isinstance(metrics, dict)
    assert isinstance(response.text, str)
    return response.text


def test_function_tool_is_a_file_that_verl_loads() -> None:
    spec = importlib.util.spec_from_file_location("_verl_function_tools_x", verl_function_tool.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    async def main() -> None:
        text, reward, metrics = await module.code_interpreter("print('a')\n6 * 7")
        assert (text, reward) == ("a\n42", 0.0)
        assert metrics["rollcall_outcome"] == "completed" and metrics["rollcall_excluded"] is False
        assert (await module.code_interpreter("x = 1"))[0] == "(no output)"
        failed = await module.code_interpreter("print('before')\n1 / 0")
        assert failed[0].startswith("before\nTraceback") and failed[0].endswith("ZeroDivisionError: division by zero")

    run(main())


def test_state_is_kept_for_a_trajectory_and_for_no_other() -> None:
    async def main() -> None:
        tool = RollcallTool(CONFIG)
        one, two = AgentData("one"), AgentData("two")
        assert await use(tool, {"code": "x = 41"}, one) == "(no output)"
        assert await use(tool, {"code": "x + 1"}, one) == "42"
        assert "NameError" in await use(tool, {"code": "x"}, two)
        # The program ends its interpreter; the next call has a fresh one, and says so.
        await use(tool, {"code": "import os\nos._exit(0)"}, one)
        assert await use(tool, {"code": "6 * 7"}, one) == f"{RESTARTED}42"
        assert "TimeoutError" in await use(tool, {"code": "import time\ntime.sleep(30)"}, two)
        assert "TypeError" in await use(tool, {"code": 5}, two)

    run(main())


def test_without_state_each_call_is_alone() -> None:
    async def main() -> None:
        tool = RollcallTool({**CONFIG, "stateful": False})
        agent = AgentData("one")
        await use(tool, {"code": "x = 1"}, agent)
        assert "NameError" in await use(tool, {"code": "x"}, agent)

    run(main())


def seconds_left_out(text: str) -> str:
    head, time = text.rsplit("\n", 1)
    assert time.startswith("execution time: ") and time.endswith("s")
    return head


#: Code, standard input, and rStar2's text without its last line.
CELLS = [
    ("print('hi')", "", "Tool call success\nstdout: hi\n"),
    ("x = 3\nx * 2", "", "Tool call success\nstdout: 6\n"),
    ("x = 3", "", "Tool call success"),
    ("print(input())", "in\n", "Tool call success\nstdout: in\n"),
    (
        "a = 1\nb = a / 0\n",
        "",
        "Tool call failure\nreason: \nstderr: ZeroDivisionError at line 2: division by zero\n  b = a / 0\n",
    ),
    (
        "import sys\nprint('w', file=sys.stderr)\nprint('o')\nint('x')",
        "",
        "Tool call failure\nreason: \nstdout: o\n\nstderr: w\n"
        "ValueError at line 4: invalid literal for int() with base 10: 'x'\n  int('x')\n",
    ),
    ("print('y' * 3000)", "", f"Tool call success\nstdout: {'y' * 1000}"),
    (
        "while True: pass",
        "",
        "Tool call failure\nreason: worker_timeout\nstdout: Suicide from timeout.\n",
    ),
]


@pytest.mark.parametrize(("code", "stdin", "text"), CELLS)
def test_rstar2_words(code: str, stdin: str, text: str) -> None:
    async def main() -> None:
        answer = await use(PythonTool(CONFIG), {"code": code, "input": stdin})
        assert seconds_left_out(answer) == text

    run(main())


def test_rstar2_cells_keep_the_state_of_their_history() -> None:
    async def main() -> None:
        tool = JupyterTool(CONFIG)
        history: list[FunctionCall] = []

        async def cell(code: str, before: list[FunctionCall]) -> str:
            text = await use(tool, {"code": code}, history_tool_calls=before)
            return seconds_left_out(text)

        for code, text in [
            ("x = [1]", "Tool call success"),
            ("x.append(2)\nprint('hidden later')\nx", "Tool call success\nstdout: hidden later\n[1, 2]\n"),
            ("1 / 0", "Tool call failure\nreason: \nstderr: ZeroDivisionError at line 1: division by zero\n  1 / 0\n"),
            ("len(x)", "Tool call success\nstdout: 2\n"),
        ]:
            assert await cell(code, history) == text
            history = [*history, FunctionCall("jupyter_code", json.dumps({"code": code})), FunctionCall("other", "{}")]
        # Another way from an earlier point: that history is in no interpreter any more, and is replayed.
        assert await cell("x", history[:2]) == "Tool call success\nstdout: [1]\n"
        assert await cell("x", history) == "Tool call success\nstdout: [1, 2]\n"

    run(main())


def test_rstar2_time_limits_can_be_told_as_errors() -> None:
    async def main() -> None:
        tool = PythonTool({**CONFIG, "timeout_error": True, "wall_ms": 300})
        assert "TimeoutError" in await use(tool, {"code": "while True: pass", "input": ""})

    run(main())
