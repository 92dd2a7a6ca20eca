"""A function tool for verl: name this file as ``actor_rollout_ref.rollout.multi_turn.function_tool_path``.

    python -c "import rollcall_client.verl_function_tool as tool; print(tool.__file__)"

The environment sets it up: ``ROLLCALL_URL`` (default http://127.0.0.1:8707), ``ROLLCALL_KEY``,
``ROLLCALL_TOOL_WALL_MS`` (default 10000), ``ROLLCALL_TOOL_MEMORY_BYTES`` and ``ROLLCALL_CONNECTIONS`` (default 128).
"""

from __future__ import annotations

import os
from typing import Any

from rollcall_client.render import observation
from rollcall_client.types import Limits, Result
from rollcall_client.verl_api import function_tool, shared_client


def _limits() -> Limits:
    limits: Limits = {"wall_ms": int(os.environ.get("ROLLCALL_TOOL_WALL_MS", "10000"))}
    if "ROLLCALL_TOOL_MEMORY_BYTES" in os.environ:
        limits["memory_bytes"] = int(os.environ["ROLLCALL_TOOL_MEMORY_BYTES"])
    return limits


def metrics_of(result: Result) -> dict[str, Any]:
    return {
        "rollcall_outcome": result.outcome,
        "rollcall_wall_ms": result.usage.wall_ms,
        "rollcall_queued_ms": result.timing.queued_ms,
        # Such a trajectory says nothing about the model: drop it.
        "rollcall_excluded": not result.may_become_reward,
    }


@function_tool("code_interpreter")
async def code_interpreter(code: str) -> tuple[str, float, dict[str, Any]]:
    """Run a Python program and return what it prints.

    Each call is a fresh program; nothing is kept from one call to the next. The value of a last expression is shown.

    Args:
        code: The Python source to run.
    """
    result = await shared_client({}).run(code, mode="cell", limits=_limits())
    return observation(result), 0.0, metrics_of(result)
