"""Other people's clients against a running service: third_party.py <client> <url>. Prints `ok`, or fails.

tinker-cookbook, verl and openenv-core are installed without what they depend on, so their clients are loaded by file.
"""

import asyncio
import importlib
import importlib.util
import sys
from importlib.metadata import distribution
from types import ModuleType


def load(package: str, file: str) -> ModuleType:
    path = distribution(package).locate_file(file)
    spec = importlib.util.spec_from_file_location("loaded", str(path))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["loaded"] = module
    spec.loader.exec_module(module)
    return module


def sandbox_fusion_sdk(url: str) -> None:
    import sandbox_fusion as sdk

    sdk.set_sandbox_endpoint(url)
    done = sdk.run_code(sdk.RunCodeRequest(code="print(input())", language="python", stdin="in"))
    assert done.status == sdk.RunStatus.Success and done.run_result.stdout == "in\n", done
    failed = sdk.run_code(sdk.RunCodeRequest(code="raise ValueError('x')", language="python"))
    assert failed.status == sdk.RunStatus.Failed and failed.run_result.return_code == 1, failed
    late = sdk.run_code(sdk.RunCodeRequest(code="while True: pass", language="python", run_timeout=1))
    assert late.run_result.status == sdk.CommandRunStatus.TimeLimitExceeded, late
    cells = sdk.run_jupyter(sdk.RunJupyterRequest(cells=["a = 1", "a + 1"]))
    assert cells.status == sdk.RunStatus.Success and len(cells.cells) == 2, cells

    async def many() -> None:
        requests = [sdk.RunCodeRequest(code=f"print({n})", language="python") for n in range(32)]
        answers = await asyncio.gather(*(sdk.run_code_async(request) for request in requests))
        assert [answer.run_result.stdout for answer in answers] == [f"{n}\n" for n in range(32)]

    asyncio.run(many())


def tinker_cookbook(url: str) -> None:
    module = load("tinker_cookbook", "tinker_cookbook/sandbox/sandboxfusion.py")

    async def main() -> None:
        client = module.SandboxFusionClient(url=f"{url}/run_code", max_concurrency=8)
        program = "import sys\nfrom helper import ok\nprint(open('data.txt').read())\nsys.exit(0 if ok else -1)"
        passed, answer = await client.run(program, {"helper.py": "ok = True", "data.txt": "d"}, 10)
        assert passed and answer["run_result"]["stdout"] == "d\n", answer
        passed, answer = await client.run(program, {"helper.py": "ok = False", "data.txt": "d"}, 10)
        assert not passed and answer["status"] == "Failed", answer
        await client.close()

    asyncio.run(main())


def verl_reward(url: str) -> None:
    module = load("verl", "verl/utils/reward_score/sandbox_fusion/utils.py")
    cases = {"inputs": ["1\n", "2\n", "3\n"], "outputs": ["2", "4", "0"]}
    results, _ = module.check_correctness(f"{url}/run_code", cases, "print(2 * int(input()))", timeout=10)
    assert list(results) == [True, True, False], results
    results, _ = module.check_correctness(f"{url}/run_code", cases, "1 / 0", timeout=10)
    assert list(results) == [-2, -2, -2], results
    late = {"inputs": [""], "outputs": [""]}
    results, _ = module.check_correctness(f"{url}/run_code", late, "while True: pass", timeout=1)
    assert list(results) == [-3], results


def mcp_sdk(url: str) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def main() -> None:
        async with streamablehttp_client(f"{url}/mcp") as (read, write, _):
            async with ClientSession(read, write) as session:
                await session.initialize()
                names = {tool.name for tool in (await session.list_tools()).tools}
                assert {"run_python", "run_javascript", "run_in_session"} <= names, names
                answer = await session.call_tool("run_python", {"code": "print(6 * 7)"})
                assert answer.content[0].text == "42", answer

    asyncio.run(main())


def openenv(url: str) -> None:
    # Without the package's own imports, which are a server's.
    core = ModuleType("openenv.core")
    core.__path__ = [str(distribution("openenv-core").locate_file("openenv/core"))]
    sys.modules["openenv.core"] = core
    client = importlib.import_module("openenv.core.generic_client").GenericEnvClient

    async def episode(first: int) -> None:
        async with client(base_url=url) as env:
            reset = await env.reset()
            assert reset.observation["exit_code"] == 0 and not reset.done, reset
            await env.step({"code": f"x = {first}"})
            shown = await env.step({"code": "x += 1\nprint(x)"})
            assert shown.observation["stdout"] == f"{first + 1}\n", shown
            failed = await env.step({"code": "1 / 0"})
            assert failed.observation["exit_code"] == 1 and "ZeroDivisionError" in failed.observation["stderr"], failed
            state = await env.state()
            assert state["step_count"] == 3 and state["last_exit_code"] == 1, state
            try:
                await env._send_and_receive({"type": "jump"})
                raise AssertionError("an unknown type was answered")
            except RuntimeError as error:
                assert "UNKNOWN_TYPE" in str(error), error
            await env.reset()
            gone = await env.step({"code": "print(x)"})
            assert "NameError" in gone.observation["stderr"], gone

    async def main() -> None:
        await asyncio.gather(*(episode(first) for first in range(8)))

    asyncio.run(main())


CLIENTS = {
    "sandbox-fusion": sandbox_fusion_sdk,
    "tinker-cookbook": tinker_cookbook,
    "verl": verl_reward,
    "mcp": mcp_sdk,
    "openenv": openenv,
}

CLIENTS[sys.argv[1]](sys.argv[2])
print("ok")
