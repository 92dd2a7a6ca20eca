"""rStar2-Agent's two tools over Rollcall's own API, with the text that its model is trained on.

    tools:
      - class_name: rollcall_client.rstar2_tool.JupyterTool      # or PythonTool
        config: {type: native, base_url: "http://127.0.0.1:8707", wall_ms: 4000}

What differs from the original: no batch waits for its slowest member, no half second is slept after each answer, and
earlier cells are not run again: they are kept in a live interpreter, found by the hash of the history. A history that
no interpreter has, as after a restart or when two rollouts go different ways from one point, is replayed once.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from typing import Any

from .aio import AsyncClient, AsyncSession
from .errors import RollcallError
from .render import without_traceback
from .types import Limits, Result
from .verl_api import BaseTool, ToolResponse, schema, shared_client
from .verl_function_tool import metrics_of

_GONE = frozenset({"session_not_found", "session_lost", "session_closed"})
_TIME = frozenset({"wall_limit", "cpu_limit"})


def _error_line(source: str, result: Result) -> str:
    """``TypeError at line 3: …`` and the line, as the original prints an exception."""
    error = result.error
    if error is None:
        return ""
    lines = source.splitlines()
    at = "" if error.line is None else f" at line {error.line}"
    text = f"{error.type}{at}: {error.message}"
    if error.line is not None and 0 < error.line <= len(lines):
        text += f"\n  {lines[error.line - 1]}"
    return f"{text}\n"


def tool_text(source: str, result: Result, *, characters: int = 1000, timeout_error: bool = False) -> str:
    """A Result in rStar2's words.

    ``characters`` of stdout and of stderr are shown, the first ones. ``timeout_error`` adds a ``TimeoutError`` line to
    a time limit, which its count of errors (GRPO-RoC) otherwise does not see.
    """
    timed_out = result.outcome in _TIME
    stdout = result.stdout + (f"{result.value}\n" if result.value is not None else "")
    stderr = result.stderr
    if result.error is not None:
        stderr = without_traceback(stderr) + _error_line(source, result)
    if timed_out:
        stdout += "Suicide from timeout.\n"
        if timeout_error:
            stderr += "TimeoutError: the program did not end within its time limit\n"
    if result.outcome == "memory_limit":
        stderr += "MemoryError\n"
    parts = ["Tool call success"] if result.ok else ["Tool call failure"]
    if not result.ok:
        parts.append(f"reason: {'worker_timeout' if timed_out else ''}")
    if stdout:
        parts.append(f"stdout: {stdout[:characters]}")
    if stderr:
        parts.append(f"stderr: {stderr[:characters]}")
    parts.append(f"execution time: {result.usage.wall_ms / 1000:.2f}s")
    return "\n".join(parts)


class _Tool(BaseTool):  # type: ignore[misc]
    """Configuration: ``base_url``, ``key``, ``connections``, ``wall_ms`` (default 4000), ``output_characters``
    (default 1000), ``timeout_error`` (default false)."""

    def __init__(self, config: dict[str, Any], tool_schema: Any = None) -> None:
        super().__init__(config, tool_schema)

    def _wall(self) -> Limits:
        return {"wall_ms": int(self.config.get("wall_ms", 4000))}

    def _answer(self, source: str, result: Result) -> tuple[ToolResponse, float, dict[str, Any]]:
        if not result.may_become_reward:
            raise RuntimeError(f"the call was not carried out: {result.detail or result.outcome}")
        text = tool_text(
            source,
            result,
            characters=int(self.config.get("output_characters", 1000)),
            timeout_error=bool(self.config.get("timeout_error", False)),
        )
        return ToolResponse(text=text), 0.0, metrics_of(result)


class PythonTool(_Tool):
    """``python_code_with_standard_io(code, input)``: a fresh program for each call."""

    def get_openai_tool_schema(self) -> Any:
        return getattr(self, "tool_schema", None) or schema(
            "python_code_with_standard_io",
            "Execute Python code with standard input and capture standard output.",
            {"code": "Python code to execute.", "input": "Standard input of the program."},
        )

    async def execute(
        self, instance_id: str, parameters: dict[str, Any], **kwargs: Any
    ) -> tuple[ToolResponse, float, dict[str, Any]]:
        code, stdin = parameters.get("code", ""), parameters.get("input", "")
        client = shared_client(self.config)
        return self._answer(code, await client.run(code, stdin=stdin, mode="cell", limits=self._wall()))


class JupyterTool(_Tool):
    """``jupyter_code(code)``: cells that keep the state of those before them.

    ``sessions_max`` (default 128) interpreters are kept by this tool; the one not used for longest is closed first.
    ``idle_ms`` (default 600000) closes each that is not used.
    """

    def __init__(self, config: dict[str, Any], tool_schema: Any = None) -> None:
        super().__init__(config, tool_schema)
        self._histories: dict[str, list[str]] = {}
        #: Interpreters by the hash of what they have run; each is in one call's hands at most.
        self._idle: OrderedDict[str, AsyncSession] = OrderedDict()

    def get_openai_tool_schema(self) -> Any:
        return getattr(self, "tool_schema", None) or schema(
            "jupyter_code",
            "Execute python code in a Jupyter notebook cell and return result",
            {"code": "Python code of the cell."},
        )

    async def create(self, instance_id: str | None = None, **kwargs: Any) -> tuple[str, ToolResponse]:
        created, response = await super().create(instance_id)
        self._histories[created] = [
            cell for call in kwargs.get("history_tool_calls", ()) if (cell := _cell_of(call)) is not None
        ]
        return created, response

    async def release(self, instance_id: str, **kwargs: Any) -> None:
        self._histories.pop(instance_id, None)

    async def execute(
        self, instance_id: str, parameters: dict[str, Any], **kwargs: Any
    ) -> tuple[ToolResponse, float, dict[str, Any]]:
        code = parameters.get("code", "")
        history = self._histories[instance_id]
        session, result = await self._carry_out(history, code)
        if result.session_state == "kept":
            await self._keep([*history, code], session)
        return self._answer(code, result)

    async def _carry_out(self, history: list[str], code: str) -> tuple[AsyncSession, Result]:
        kept = self._idle.pop(_hash(history), None)
        if kept is not None:
            try:
                return kept, await kept.execute(code, limits=self._wall())
            except RollcallError as error:
                # Whatever became of it, nobody will find it again: what is not gone is closed by its idle deadline.
                if error.code not in _GONE:
                    raise
        session = await self._replayed(shared_client(self.config), history)
        return session, await session.execute(code, limits=self._wall())

    async def _replayed(self, client: AsyncClient, history: list[str]) -> AsyncSession:
        session = await client.open_session(idle_ms=self.config.get("idle_ms"))
        for cell in history:
            # A cell that ends the interpreter, as os._exit does, takes with it what was before.
            if (await session.execute(cell, limits=self._wall())).session_state != "kept":
                session = await client.open_session(idle_ms=self.config.get("idle_ms"))
        return session

    async def _keep(self, history: list[str], session: AsyncSession) -> None:
        surplus = [self._idle.pop(_hash(history), None)]
        self._idle[_hash(history)] = session
        while len(self._idle) > int(self.config.get("sessions_max", 128)):
            surplus.append(self._idle.popitem(last=False)[1])
        await asyncio.gather(*(old.close() for old in surplus if old is not None), return_exceptions=True)


def _hash(history: list[str]) -> str:
    return hashlib.sha256(json.dumps(history).encode()).hexdigest()


def _cell_of(call: Any) -> str | None:
    """The cell of an earlier tool call, as rStar2's agent loop hands them over, or None for another tool's."""
    if getattr(call, "name", None) != "jupyter_code":
        return None
    try:
        arguments = json.loads(call.arguments)
    except (TypeError, ValueError):
        return None
    return arguments["code"] if isinstance(arguments, dict) and set(arguments) == {"code"} else None
