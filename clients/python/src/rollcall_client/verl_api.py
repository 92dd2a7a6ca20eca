"""What the tools need of verl, or the same shapes where verl is not installed.

verl calls tools by name, so the stand-ins have only what its agent loop touches.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from .aio import AsyncClient

F = TypeVar("F", bound=Callable[..., Any])

try:
    from verl.tools.base_tool import BaseTool
    from verl.tools.schemas import OpenAIFunctionToolSchema, ToolResponse
except ImportError:

    @dataclass
    class ToolResponse:  # type: ignore[no-redef]
        text: str | None = None
        image: list[Any] | None = None
        video: list[Any] | None = None

    class BaseTool:  # type: ignore[no-redef]
        def __init__(self, config: dict[str, Any], tool_schema: Any) -> None:
            self.config = config
            self.tool_schema = tool_schema or self.get_openai_tool_schema()
            function = self.tool_schema["function"] if isinstance(self.tool_schema, dict) else self.tool_schema.function
            self.name = function["name"] if isinstance(function, dict) else function.name

        def get_openai_tool_schema(self) -> Any:
            return self.tool_schema

        async def create(self, instance_id: str | None = None, **kwargs: Any) -> tuple[str, ToolResponse]:
            return instance_id or str(uuid.uuid4()), ToolResponse()

        async def calc_reward(self, instance_id: str, **kwargs: Any) -> float:
            return 0.0

        async def release(self, instance_id: str, **kwargs: Any) -> None:
            return None

    OpenAIFunctionToolSchema = None

try:
    from verl.tools.function_tool import function_tool
except ImportError:

    def function_tool(name: str) -> Callable[[F], F]:
        return lambda function: function


__all__ = ["BaseTool", "ToolResponse", "function_tool", "schema", "shared_client"]


def schema(name: str, description: str, parameters: dict[str, str]) -> Any:
    """A tool's schema: every parameter is a required string. The parameters are name and description."""
    properties = {key: {"type": "string", "description": text} for key, text in parameters.items()}
    shape = {"type": "object", "properties": properties, "required": list(parameters)}
    document = {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": shape},
    }
    return document if OpenAIFunctionToolSchema is None else OpenAIFunctionToolSchema.model_validate(document)


_Loop = asyncio.AbstractEventLoop
_clients: WeakKeyDictionary[_Loop, dict[tuple[str, str | None, int], AsyncClient]] = WeakKeyDictionary()


def shared_client(config: dict[str, Any]) -> AsyncClient:
    """One client for each event loop and service, so that connections are kept between calls."""
    base_url = str(config.get("base_url") or os.environ.get("ROLLCALL_URL") or "http://127.0.0.1:8707")
    key = config.get("key") or os.environ.get("ROLLCALL_KEY")
    connections = int(config.get("connections") or os.environ.get("ROLLCALL_CONNECTIONS") or 128)
    of_loop = _clients.setdefault(asyncio.get_running_loop(), {})
    where = (base_url, key, connections)
    if where not in of_loop:
        of_loop[where] = AsyncClient(base_url, key=key, connections=connections)
    return of_loop[where]
