"""Every module of the core can be started alone, by its name."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loadtests.ports import free_port
from new_core.app import MODULES, build_core
from new_core.errors import InvalidValue
from new_core.settings import CoreSettings
from tests.contract.legacy_adapters.shops import COMMAND, Server, run
from tests.support.asgi import get
from tests.support.core import core_app, core_database
from tests.support.processes import spawn_process, wait_for_http

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


@pytest.mark.parametrize("name", sorted(MODULES))
async def test_a_module_starts_and_describes_itself_without_the_others(
    name: str, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'core.sqlite3'}"
    settings = CoreSettings(core_database=url, core_modules=name)
    async with core_database(url), core_app(settings) as app:
        document = (await get(app, "/openapi.json")).json()
        ready = await get(app, "/readyz")

    async with core_app(CoreSettings(core_database=url)) as all_of_it:
        whole = all_of_it.openapi()
    assert set(document["paths"]) < set(whole["paths"])
    assert ready.status == 200


def test_a_name_that_no_module_has_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="warehouse is not there; choose from catalog"):
        build_core(CoreSettings(var=tmp_path, core_modules="pricing, warehouse"))


def test_the_command_starts_the_modules_it_was_told(tmp_path: Path) -> None:
    port = free_port()
    base = [sys.executable, "-c", COMMAND, "core", "--listen", f"127.0.0.1:{port}"]
    database = ["--database", f"sqlite:///{tmp_path / 'core.sqlite3'}"]

    with spawn_process(
        [*base, *database, "--modules", "pricing,inventory"], log=tmp_path / "core.log"
    ):
        wait_for_http(f"http://127.0.0.1:{port}/readyz", 60)
        document = json.loads(Server(port).ask("/openapi.json").body)
        categories = Server(port).ask("/v1/categories")

    assert "/v1/stock" in document["paths"]
    assert "/v1/price-lists" in document["paths"]
    assert categories.status == 404
    with pytest.raises(AssertionError, match="choose from"):
        run(*base, *database, "--modules", "kitchen")
