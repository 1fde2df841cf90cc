"""The bus with real processes: a shipper, comparers, a NATS server that comes and goes."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loadtests.ports import free_port
from proxy.storage import read_accounts
from tests.support.nats import NatsServer, nats_server
from tests.support.processes import spawn_process, wait_for_http
from tests.support.stores import Worker, banyan, routing

pytestmark = [pytest.mark.integration, pytest.mark.soak]

RUN = "20261122T000000-1-aaaaaa"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def server() -> Iterator[NatsServer]:
    """Not started yet."""
    with nats_server(start=False) as made:
        yield made


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    made = Worker(tmp_path / "spool", RUN)
    yield made
    made.close()


async def ship_once(spool: Path, url: str) -> tuple[int | None, list[str]]:
    """Exit code and lines of `banyan ship --once`."""
    command = banyan("ship", "--spool", spool, "--bus", url, "--once")
    process = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
    async with asyncio.timeout(60):
        _, log = await process.communicate()
    return process.returncode, log.decode().strip().splitlines()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.05)


def segments(spool: Path) -> int:
    return len(list(spool.rglob("*.seg")))


@pytest.mark.timeout(240)
async def test_killed_in_turn_under_load_every_exchange_is_counted_once(tmp_path: Path) -> None:
    """Comparer, bus, database and shipper; see loadtests/accounting.py."""
    command = (sys.executable, "-m", "loadtests.accounting", "--kills", "1", "--hurry")
    process = await asyncio.create_subprocess_exec(
        *command, "--rate", "200", stdout=PIPE, stderr=PIPE, cwd=ROOT
    )
    out, log = await process.communicate()

    found = json.loads(out)
    assert (process.returncode, found["broken"]) == (0, []), log.decode()
    assert found["kills"] == {"comparer": 1, "bus": 1, "database": 1, "shipper": 1}
    assert found["mirrored"] == found["written"] > 0
    assert found["mirrored"] == found["compared"] + sum(found["lost"].values())
    assert found["compared"] == found["matched"] + found["mismatched"]


async def test_a_wrong_password_is_told_without_it_and_ends(
    server: NatsServer, worker: Worker, tmp_path: Path
) -> None:
    server.config = 'authorization { user: "banyan", password: "right" }'
    server.start()

    code, lines = await ship_once(
        tmp_path / "spool", f"nats://banyan:wrong-one@127.0.0.1:{server.port}"
    )

    assert code == 1
    refused = f"banyan: the bus at 127.0.0.1:{server.port} refuses this user"
    assert lines == [f"{refused}; see BANYAN_BUS and BANYAN_BUS_CREDENTIALS"]


async def test_a_stream_that_is_not_permitted_is_named(
    server: NatsServer, worker: Worker, tmp_path: Path
) -> None:
    server.config = (
        'authorization { users: [{ user: "u", password: "p", permissions: '
        '{ publish: ["$JS.API.INFO"], subscribe: ["_INBOX.>"] } }] }'
    )
    server.start()

    code, lines = await ship_once(tmp_path / "spool", f"nats://u:p@127.0.0.1:{server.port}")

    assert code == 1
    assert len(lines) == 1
    assert "$js.api.stream.info.banyan" in lines[0].lower()
    assert "docs/reference/bus.md" in lines[0]


async def test_frames_too_large_for_the_bus_are_dropped_by_name_and_the_rest_is_sent(
    server: NatsServer, worker: Worker, tmp_path: Path
) -> None:
    server.config = "max_payload: 16384\n"
    server.start()
    worker.mirror(2)
    worker.mirror(1, body=b"x" * 20_000)
    worker.mirror(1)
    port = free_port()
    command = banyan("ship", "--spool", tmp_path / "spool", "--bus", server.url)

    with spawn_process([*command, "--listen", f"127.0.0.1:{port}"], log=tmp_path / "log"):
        wait_for_http(f"http://127.0.0.1:{port}/healthz")
        stored = 'banyan_ship_frames_total{result="stored"} 3.0'
        await eventually(lambda: stored in _get(f"http://127.0.0.1:{port}/metrics"))
        told = _get(f"http://127.0.0.1:{port}/metrics")

    assert 'banyan_ship_frames_total{result="too_large"} 1.0' in told
    assert "banyan_ship_bus_up 1.0" in told


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


async def test_a_bus_that_is_not_there_is_waited_for_and_one_that_dies_is_found_again(
    server: NatsServer, tmp_path: Path
) -> None:
    spool, port, log = tmp_path / "spool", free_port(), tmp_path / "log"
    worker = Worker(spool, RUN)
    worker.mirror(5)
    worker.close()
    command = banyan("ship", "--spool", spool, "--bus", server.url)

    with spawn_process([*command, "--listen", f"127.0.0.1:{port}"], log=log):
        url = f"http://127.0.0.1:{port}/healthz"
        wait_for_http(url, status=503)
        await eventually(lambda: "no bus answers" in log.read_text())
        waiting = segments(spool)
        server.start()
        wait_for_http(url)
        await eventually(lambda: not read_accounts(spool))
        server.kill()
        other = Worker(spool, "20261122T000001-2-bbbbbb")
        other.mirror(5)
        other.close()
        wait_for_http(url, status=503)
        kept = segments(spool)
        server.start()
        await eventually(lambda: not read_accounts(spool))
    lines = log.read_text()

    assert (waiting, kept) == (1, 1)
    assert lines.count("no bus answers") == 1
    assert "the bus takes frames again" in lines


async def test_frames_wait_in_the_spool_while_the_stream_is_full(
    server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANYAN_BUS_MAX_BYTES", str(1024 * 1024))
    server.start()
    worker = Worker(tmp_path / "spool", RUN)
    for _ in range(30):
        worker.mirror(1, body=b"x" * 50_000)
    worker.close()
    log = tmp_path / "log"
    command = banyan("ship", "--spool", tmp_path / "spool", "--bus", server.url)

    with spawn_process(command, log=log):
        await eventually(lambda: "maximum bytes exceeded" in log.read_text())
        kept = segments(tmp_path / "spool")
        monkeypatch.setenv("BANYAN_BUS_MAX_BYTES", str(8 * 1024 * 1024))
    code, _ = await ship_once(tmp_path / "spool", server.url)

    assert kept == 1
    assert code == 0
    assert segments(tmp_path / "spool") == 0


async def test_a_comparer_of_a_bus_needs_the_proxys_key(server: NatsServer, tmp_path: Path) -> None:
    table = tmp_path / "routing.yaml"
    routing(table, "http://127.0.0.1:1", "http://127.0.0.1:2")
    command = banyan(
        *("compare", "--config", table, "--spool", tmp_path / "none", "--once"),
        *("--bus", server.url, "--database", f"sqlite+aiosqlite:///{tmp_path}/e.sqlite3"),
    )
    process = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
    _, log = await process.communicate()

    assert process.returncode == 1
    assert "BANYAN_REDACTION_KEY" in log.decode()
