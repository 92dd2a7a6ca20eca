"""A tool for verl's tool configuration, with state: one interpreter for each trajectory.

    tools:
      - class_name: rollcall_client.verl_base_tool.RollcallTool
        config: {type: native, base_url: "http://127.0.0.1:8707", stateful: true, wall_ms: 10000}

verl creates and releases an instance for each call, so the interpreter is kept by the trajectory (``agent_data``'s
``request_id``) and closed by its idle deadline, ``idle_ms`` (default 600000).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from .aio import AsyncSession
from .errors import RollcallError
from .render import observation
from .types import Limits, Result
from .verl_api import BaseTool, ToolResponse, schema, shared_client
from .verl_function_tool import metrics_of

#: The state is gone: what a model is told before the answer of the fresh interpreter.
RESTARTED = "[The interpreter was restarted: earlier variables are gone.]\n"
#: Trajectories whose session is remembered; sessions of older ones have long met their idle deadline.
_TRAJECTORIES_MAX = 100_000
_GONE = frozenset({"session_not_found", "session_lost", "session_closed"})


class RollcallTool(BaseTool):  # type: ignore[misc]
    """``code_interpreter(code)``. Configuration: ``base_url``, ``key``, ``connections``, ``stateful`` (default true),
    ``wall_ms``, ``memory_bytes``, ``idle_ms``."""

    def __init__(self, config: dict[str, Any], tool_schema: Any = None) -> None:
        super().__init__(config, tool_schema)
        self._trajectories: OrderedDict[str, str] = OrderedDict()

    def get_openai_tool_schema(self) -> Any:
        return getattr(self, "tool_schema", None) or schema(
            "code_interpreter",
            "Run Python code and return what it prints. The value of a last expression is shown.",
            {"code": "The Python source to run."},
        )

    def _limits(self) -> Limits:
        limits: Limits = {"wall_ms": int(self.config.get("wall_ms", 10_000))}
        if "memory_bytes" in self.config:
            limits["memory_bytes"] = int(self.config["memory_bytes"])
        return limits

    async def execute(
        self, instance_id: str, parameters: dict[str, Any], **kwargs: Any
    ) -> tuple[ToolResponse, float, dict[str, Any]]:
        code = parameters.get("code", "")
        if not isinstance(code, str):
            return ToolResponse(text="TypeError: code must be a string"), 0.0, {}
        trajectory = getattr(kwargs.get("agent_data"), "request_id", None)
        if self.config.get("stateful", True) and trajectory is not None:
            before, result = await self._in_session(str(trajectory), code)
        else:
            before, result = "", await shared_client(self.config).run(code, mode="cell", limits=self._limits())
        return ToolResponse(text=before + observation(result)), 0.0, metrics_of(result)

    async def _in_session(self, trajectory: str, code: str) -> tuple[str, Result]:
        client = shared_client(self.config)
        before = ""
        known = self._trajectories.get(trajectory)
        session = None if known is None else AsyncSession(client, known)
        if session is not None:
            try:
                return "", await self._cell(session, code)
            except RollcallError as error:
                if error.code not in _GONE:
                    raise
                before = RESTARTED
        session = await client.open_session(limits=self._limits(), idle_ms=self.config.get("idle_ms"))
        self._trajectories[trajectory] = session.id
        while len(self._trajectories) > _TRAJECTORIES_MAX:
            self._trajectories.popitem(last=False)
        return before, await self._cell(session, code)

    async def _cell(self, session: AsyncSession, code: str) -> Result:
        return await session.execute(code, limits={"wall_ms": self._limits()["wall_ms"]})
