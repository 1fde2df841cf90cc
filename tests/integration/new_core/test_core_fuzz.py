"""Whatever a fuzzer invents, alone or in a row, /v1 answers as its contract says."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.legacy_adapters.shops import (
    Server,
    prepare_shop,
    run_backfill,
    serve_core,
)
from tests.support.databases import fresh_database

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(400)]

SECONDS = 90
PHASES = "coverage,fuzzing,stateful"
# A cursor is opaque, an id of a thing that is not there is valid: what a schema allows may be
# refused all the same. The other way round nothing may be: no 500, no answer, header or body
# that is not described, nothing taken that the schema forbids.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,negative_data_rejection,"
    "unsupported_method,allow_header_conformance"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """A core that lets everybody do everything, with a shop in it."""
    monkeypatch.setenv("BANYAN_CORE_AUTH", "off")
    shop = prepare_shop(tmp_path / "shop", odd=True)
    with contextlib.ExitStack() as stack:
        database = f"sqlite:///{tmp_path / 'core.sqlite3'}"
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            database = stack.enter_context(fresh_database(port))
        copied = run_backfill(shop.url, database)
        assert copied.status == 0, copied.out + copied.err
        yield stack.enter_context(serve_core(database, tmp_path / "core.log"))


def test_the_whole_contract_holds_under_a_fuzzer(server: Server, tmp_path: Path) -> None:
    found = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            *(f"http://127.0.0.1:{server.port}/openapi.json", "--phases", PHASES),
            *("--checks", CHECKS, "--max-time", str(SECONDS), "-n", "10"),
            *("--continue-on-failure", "--warnings", "off", "--no-color"),
        ],
        check=False, capture_output=True, text=True, timeout=SECONDS * 3, cwd=tmp_path,
    )  # fmt: skip

    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
