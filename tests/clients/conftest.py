"""Public client libraries from npm, each run by Node against one server of this process.

`make test` installs them from package-lock.json where Node is; without it these tests are skipped.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.rest_compat.conftest import (  # noqa: F401  (the fixtures of the REST tests serve here as well)
    Scoring,
    acme,
    authenticator,
    database,
    database_url,
    http,
    scoring,
    server,
)

HERE = Path(__file__).parent
_OLDEST_NODE = 20

Node = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="session")
async def node() -> Node:
    """Runs a script of this folder with arguments; its answer is the JSON that it prints."""
    if not await _has_node():
        pytest.skip(f"needs Node {_OLDEST_NODE} or newer: https://nodejs.org/en/download")
    if not (HERE / "node_modules").is_dir():
        pytest.skip("needs the packages that `make test` installs, or `npm ci` in tests/clients")

    async def run(script: str, *arguments: str) -> Any:
        code, printed, said = await _run("node", script, *arguments)
        assert code == 0, f"{script}: {said}\n{printed}"
        return orjson.loads(printed)

    return run


@pytest.fixture(scope="session")
async def worker(scoring: Scoring) -> AsyncIterator[None]:  # noqa: F811
    """A worker that scores what comes in."""

    async def work() -> None:
        while True:
            await scoring.finish()
            await asyncio.sleep(0.02)

    task = asyncio.create_task(work())
    yield
    task.cancel()


async def _has_node() -> bool:
    if shutil.which("node") is None:
        return False
    _, version, _ = await _run("node", "--version")
    return int(version.removeprefix("v").split(".")[0]) >= _OLDEST_NODE


async def _run(*command: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command in this folder."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=HERE,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            printed, said = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    return process.returncode or 0, printed.decode(), said.decode()
