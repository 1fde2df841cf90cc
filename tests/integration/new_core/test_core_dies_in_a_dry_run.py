"""A core process that is killed in the middle of a dry run."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import signal
import sys
from pathlib import Path

import pytest

from loadtests.ports import free_port
from tests.integration.proxy.harness import eventually
from tests.support.databases import fresh_database
from tests.support.little_shop import ON_HAND, count, fill, on_hand
from tests.support.processes import spawn_process, wait_for_http

pytestmark = [pytest.mark.integration, pytest.mark.soak]

# The core as it is served, and one route more: it counts, tells that it has, and hangs.
HANGING = """
import asyncio, sys
from pathlib import Path
import uvicorn
from new_core.api import dry_runs
from new_core.app import build_core
from new_core.service.stocking import count_stock
from new_core.settings import CoreSettings
from tests.support.little_shop import LEVEL, THEN

def extend(app, database):
    @app.put("/hangs", openapi_extra=dry_runs.TAKES_BACK)
    async def hangs():
        async with database.writing() as uow:
            await count_stock(uow, LEVEL, 99, lambda *_: True, THEN)
        Path(sys.argv[3]).touch()
        await asyncio.Event().wait()

dry_runs.LONGEST_S = 60.0
app = build_core(CoreSettings(core_database=sys.argv[1]), extensions=(extend,))
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_core_killed_in_a_dry_run_leaves_nothing_and_locks_nobody_out(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/core.sqlite3"
        if kind == "postgresql":
            url = stack.enter_context(fresh_database(request.getfixturevalue("postgres_port")))
        asyncio.run(fill(url))
        port, reached, log = free_port(), tmp_path / "reached", tmp_path / "core.log"
        command = [sys.executable, "-c", HANGING, url, str(port), str(reached)]
        with spawn_process(command, log=log) as core:
            wait_for_http(f"http://127.0.0.1:{port}/readyz")
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            client.request("PUT", "/hangs", headers={"Banyan-Dry-Run": "1"})
            assert eventually(reached.exists, 30), log.read_text()
            core.send_signal(signal.SIGKILL)
            core.wait(10)
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                client.getresponse()
            client.close()

        assert asyncio.run(on_hand(url)) == (ON_HAND, 1)
        asyncio.run(count(url, 6))
        assert asyncio.run(on_hand(url)) == (6, 2)
