"""The comparer as a process: a real spool, real stores, real signals."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from loadtests.ports import free_port
from proxy.storage.tables import load_routing
from shadow_compare.app import open_evidence
from shadow_compare.core.evidence import DomainEvidence
from tests.support.stores import (
    SmallStore,
    Worker,
    as_json,
    banyan,
    echo,
    routing,
    small_store,
)

pytestmark = pytest.mark.integration

RUN = "20261122T000000-1-aaaaaa"
HEADERS = (("Content-Type", "application/json; charset=utf-8"),)


@dataclass
class Stage:
    """Both stores, a table, a spool with one worker, and an evidence database."""

    home: Path
    legacy: SmallStore
    core: SmallStore
    worker: Worker
    table: Path

    @property
    def spool(self) -> Path:
        return self.home / "spool"

    @property
    def database(self) -> str:
        return f"sqlite+aiosqlite:///{self.home}/evidence.sqlite3"

    def command(self, *more: str) -> list[str]:
        places = ("--config", self.table, "--spool", self.spool, "--database", self.database)
        return banyan("compare", *places, *more)

    def mirror(self, item: int, *, worker: Worker | None = None, **more: Any) -> None:
        """Capture an exchange that both stores answer alike, unless `core` says otherwise."""
        target = f"/products/?id={item}"
        if "core" in more:
            target += f"&core={more.pop('core')}"
        settings = {"target": target, "body": as_json({"id": str(item)}), "headers": HEADERS}
        (worker or self.worker).mirror(at_s=now_s(), **{**settings, **more})

    async def evidence(self) -> DomainEvidence:
        async with open_evidence(self.database) as evidence:
            return await evidence.domain(load_routing(self.table).domain("catalog"))


def now_s() -> float:
    return time.time()  # noqa: TID251 - captured now


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with small_store(echo) as legacy, small_store(echo) as core:
        table = routing(tmp_path / "routing.yaml", legacy.url, core.url)
        worker = Worker(tmp_path / "spool", RUN)
        yield Stage(tmp_path, legacy, core, worker, table)
        worker.close()


@asynccontextmanager
async def running(command: list[str]) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        _, log = await process.communicate()
        sys.stderr.write(f"comparer {process.pid}, {process.returncode}: {log.decode()}\n")


async def until(
    stage: Stage, holds: Callable[[DomainEvidence], bool], *, timeout_s: float = 30
) -> DomainEvidence:
    """Read the evidence until it holds; every statement read on the way must balance."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = await stage.evidence()
        books = found.accounting
        assert books.mirrored == books.compared + books.lost + books.pending
        assert books.pending >= 0
        if holds(found):
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)


def compared(count: int) -> Callable[[DomainEvidence], bool]:
    return lambda found: found.accounting.compared >= count


async def test_evidence_is_there_while_the_comparer_runs(stage: Stage) -> None:
    async with running(stage.command()):
        stage.mirror(1)
        await until(stage, compared(1))
        for item in range(2, 40):
            stage.mirror(item)
        stage.mirror(40, core="other")
        found = await until(stage, compared(40))

    assert (found.overall.matched, found.overall.mismatched) == (39, 1)
    assert found.accounting.pending == 0


async def test_the_other_side_gets_the_shoppers_question_marked_as_a_shadow(
    stage: Stage,
) -> None:
    shopper = (
        ("Host", "shop.example"),
        ("accept", "application/json"),
        ("Accept-Encoding", "gzip, br;q=0.9, zstd"),
        ("Session-Id", "[hmac:0123456789abcdef]"),
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("X-Banyan-Pilot", "internal"),
    )
    stage.mirror(1, request_headers=shopper, target="/products/?id=%2F%20a&b=c+d")

    async with running(stage.command("--once")) as process:
        await process.wait()

    [(method, target, headers)] = stage.core.asked
    assert (method, target) == ("GET", "/products/?id=%2F%20a&b=c+d")
    assert headers == {
        "host": "shop.example",
        "accept": "application/json",
        "accept-encoding": "gzip",
        "x-banyan-pilot": "internal",
        "x-banyan-shadow": f"{RUN}-1",
        "x-forwarded-host": "shop.example",
        "x-forwarded-proto": "http",
        "x-request-id": f"{RUN}-1",
    }
    assert stage.legacy.asked == []


async def test_after_the_cutover_legacy_is_asked_at_its_own_address(stage: Stage) -> None:
    routing(stage.table, f"{stage.legacy.url}/old/shop/", stage.core.url)
    stage.mirror(1, side="core")

    async with running(stage.command("--once")) as process:
        await process.wait()
    found = await stage.evidence()

    assert [target for _, target, _ in stage.legacy.asked] == ["/old/shop/products/?id=1"]
    assert found.overall.matched == 1


async def test_redirects_and_cookies_of_the_other_side_are_answers_and_nothing_more(
    stage: Stage,
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/x", "Set-Cookie": "sid=1"})

    stage.core.answer = answer
    for item in (1, 2):
        stage.mirror(item, status=302, body=b"", headers=())

    async with running(stage.command("--once")) as process:
        await process.wait()
    found = await stage.evidence()

    assert found.overall.matched == 2
    assert all("cookie" not in headers for _, _, headers in stage.core.asked)
    assert len(stage.core.asked) == 2


async def hang(_request: web.Request) -> web.Response:
    await asyncio.sleep(60)
    raise web.HTTPGatewayTimeout


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * 65_536)


async def cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"x")
    assert request.transport is not None
    request.transport.close()
    return response


async def opaque(_request: web.Request) -> web.Response:
    return web.Response(body=b"\x8b\x01", headers={"Content-Encoding": "br"})


@pytest.mark.parametrize(
    ("answer", "loss"),
    [
        (hang, "shadow_timeout"),
        (endless, "shadow_truncated"),
        (cut_off, "shadow_truncated"),
        (opaque, "shadow_opaque"),
    ],
)
async def test_an_answer_that_cannot_be_had_is_a_loss_with_its_reason(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    loss: str,
) -> None:
    monkeypatch.setenv("BANYAN_SHADOW_TIMEOUT_S", "0.5")
    stage.core.answer = answer
    stage.mirror(1)

    async with running(stage.command("--once")) as process:
        await process.wait()
    found = await stage.evidence()

    assert found.accounting.losses == {loss: 1}
    assert found.accounting.pending == 0


async def test_a_side_that_is_down_costs_its_frames_quickly_and_is_found_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANYAN_SHADOW_TIMEOUT_S", "0.5")
    answer, stage.core.answer = stage.core.answer, hang
    async with running(stage.command()):
        for item in range(200):
            stage.mirror(item)
        await until(stage, lambda found: found.accounting.lost == 200, timeout_s=10)
        asked_while_down = len(stage.core.asked)
        stage.core.answer = answer
        for item in range(100):
            stage.mirror(item)
            await asyncio.sleep(0.1)
            if (await stage.evidence()).accounting.compared:
                break
        found = await until(stage, compared(1))

    assert asked_while_down < 60
    assert set(found.accounting.losses) == {"shadow_timeout", "shadow_unreachable"}


async def test_personal_data_of_the_other_side_is_stored_nowhere(stage: Stage) -> None:
    async def answer(_request: web.Request) -> web.Response:
        person = {"email": "one.example@shop.example", "card": "4111111111111111"}
        return web.json_response(person, headers={"Set-Cookie": "sid=secret-session"})

    stage.core.answer = answer
    stage.mirror(1)

    async with running(stage.command("--once")) as process:
        await process.wait()
    found = await stage.evidence()
    stored = b"".join(path.read_bytes() for path in stage.home.glob("evidence.sqlite3*"))

    assert found.overall.mismatched == 1
    assert b"[hmac:" in stored
    for secret in (b"one.example", b"4111111111111111", b"secret-session"):
        assert secret not in stored


async def test_a_new_rule_begins_an_epoch_without_a_restart(stage: Stage) -> None:
    async with running(stage.command()):
        stage.mirror(1, core="other")
        before = await until(stage, compared(1))
        rule = (
            "[{path: '$.id', accept: any, owner: merchandising, reason: known,"
            " expires: 2100-01-01}]"
        )
        routing(stage.table, stage.legacy.url, stage.core.url, rules=rule)
        await until(stage, lambda found: found.epoch not in ("", before.epoch))
        stage.mirror(2, core="other")
        after = await until(stage, lambda found: found.overall.accepted == 1)

    assert before.overall.mismatched == 1
    assert after.overall.mismatched == 0


async def test_a_table_that_does_not_load_leaves_the_last_good_one_in_force(
    stage: Stage,
) -> None:
    async with running(stage.command()) as process:
        stage.mirror(1)
        await until(stage, compared(1))
        good = stage.table.read_text()
        stage.table.write_text("domains: [")
        stage.mirror(2)
        await asyncio.sleep(1)
        alive = process.returncode is None
        stage.table.write_text(good)
        found = await until(stage, compared(2))

    assert alive
    assert found.overall.matched == 2


async def test_sigterm_ends_it_with_everything_read_stored(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANYAN_LOG_LEVEL", "INFO")
    for item in range(300):
        stage.mirror(item)
    async with running(stage.command()) as process:
        await until(stage, compared(1))
        process.send_signal(signal.SIGTERM)
        _, log = await process.communicate()
    async with running(stage.command("--once")) as rest:
        await rest.wait()
    found = await stage.evidence()

    assert process.returncode == 0
    assert "everything read is stored" in json.loads(log.splitlines()[-1])["message"]
    assert found.overall.matched == 300
    assert len(stage.core.asked) == 300


async def test_a_second_comparer_on_the_same_spool_says_so_and_ends(stage: Stage) -> None:
    stage.mirror(1)
    async with running(stage.command()):
        await until(stage, compared(1))
        async with running(stage.command()) as second:
            _, log = await second.communicate()

    assert second.returncode == 1
    assert log.decode().strip().splitlines()[-1].startswith("banyan: another reader holds")


@pytest.mark.parametrize("damaged", [(0,), (4,), (1, 4)])
async def test_frames_damaged_on_disk_are_lost_with_their_run_and_nothing_else(
    stage: Stage, damaged: tuple[int, ...]
) -> None:
    worker = Worker(stage.spool, "20261122T000001-2-bbbbbb")
    segment = stage.spool / worker.run / "000001.seg"
    ends = []
    for item in range(5):
        stage.mirror(item, worker=worker)
        ends.append(segment.stat().st_size)
    worker.close()
    content = bytearray(segment.read_bytes())
    for which in damaged:
        content[ends[which] - 3] ^= 0xFF
    segment.write_bytes(content)

    async with running(stage.command("--once")) as process:
        await process.wait()
    books = (await stage.evidence()).accounting

    assert (books.mirrored, books.compared, books.pending) == (5, 5 - len(damaged), 0)
    assert books.losses == {"crash": len(damaged)}
    assert not (stage.spool / worker.run).exists()


async def test_it_waits_for_a_spool_that_is_not_there_yet(stage: Stage) -> None:
    later = stage.home / "later"
    command = [str(later) if part == str(stage.spool) else part for part in stage.command()]
    async with running(command) as process:
        assert process.stderr is not None
        line = json.loads(await process.stderr.readline())
        worker = Worker(later, RUN)
        stage.mirror(1, worker=worker)
        found = await until(stage, compared(1))
        worker.close()

    assert "waiting for the spool" in line["message"]
    assert found.overall.matched == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--config", "/nowhere.yaml"], "The file cannot be read"),
        (["--database", "mysql://x/y"], "evidence is kept in"),
        (["--database", "postgresql+asyncpg://127.0.0.1:1/x"], "cannot prepare the evidence"),
        (["--listen", "here"], "--listen takes HOST:PORT"),
    ],
)
async def test_what_it_cannot_start_with_gets_one_clear_line(
    stage: Stage, arguments: list[str], told: str
) -> None:
    async with running([*stage.command("--once"), *arguments]) as process:
        _, log = await process.communicate()

    assert process.returncode == 1
    assert len(log.splitlines()) == 1
    assert told in log.decode()


async def test_metrics_tell_results_losses_and_lag(stage: Stage) -> None:
    port = free_port()
    stage.mirror(1)
    stage.mirror(2, core="other")
    stage.mirror(3, target="/products/?email=[hmac:0123456789abcdef]")
    async with running(stage.command("--listen", f"127.0.0.1:{port}")):
        await until(stage, lambda found: found.accounting.compared + found.accounting.lost == 3)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                text = await answer.text()
            async with session.get(f"http://127.0.0.1:{port}/healthz") as health:
                healthy = health.status

    lines = set(text.splitlines())
    assert healthy == 200
    place = 'domain="catalog",result="{}",route="GET /products/"'
    assert f"banyan_compare_total{{{place.format('match')}}} 1.0" in lines
    assert f"banyan_compare_total{{{place.format('mismatch')}}} 1.0" in lines
    assert 'banyan_shadow_loss_total{domain="catalog",reason="redacted_request"} 1.0' in lines
    assert any(line.startswith("banyan_compare_lag_seconds ") for line in lines)


async def test_it_goes_on_after_the_evidence_database_was_locked(stage: Stage) -> None:
    async with running(stage.command()):
        stage.mirror(1)
        await until(stage, compared(1))
        other = sqlite3.connect(stage.home / "evidence.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for item in range(2, 20):
            stage.mirror(item)
        await asyncio.sleep(1.5)
        while_locked = (await stage.evidence()).overall.matched
        other.execute("ROLLBACK")
        other.close()
        found = await until(stage, compared(19))

    assert while_locked == 1
    assert found.overall.matched == 19


WORKER = """
import sys, time
from pathlib import Path
from proxy.storage import SpoolWriter, counter_name
from tests.support.stores import Worker, as_json
from tests.support.comparing import LIST, frame
worker = Worker(Path(sys.argv[1]), sys.argv[2])
print("up", flush=True)
number = 0
while True:
    number += 1
    # As in the proxy: counted first, written a little later, in batches.
    for _ in range(5):
        worker.count("mirrored", "catalog", LIST)
    frames = [
        frame(worker.writer.next_seq + n, run=worker.run, at_s=time.time(),
              target=f"/products/?id={number}", body=as_json({"id": str(number)}),
              headers=(("Content-Type", "application/json"),))
        for n in range(5)
    ]
    time.sleep(0.02)
    worker.writer.write(frames)
    time.sleep(0.02)
"""


@pytest.mark.timeout(240)
@pytest.mark.soak
async def test_killed_over_and_over_nothing_is_counted_twice_and_the_books_balance(
    stage: Stage,
) -> None:
    """Both the comparer and the proxy's workers are killed, again and again."""
    dice = random.Random(7)
    workers = 0
    async with asyncio.timeout(200):
        for _ in range(6):
            workers += 1
            name = f"20261122T0000{workers:02d}-9-bbbbbb"
            command = [sys.executable, "-c", WORKER, str(stage.spool), name]
            worker = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
            assert worker.stdout is not None
            await worker.stdout.readline()
            for _ in range(2):
                async with running(stage.command()) as comparer:
                    before = (await stage.evidence()).accounting.compared
                    await until(stage, compared(before + 1))
                    await asyncio.sleep(dice.random() * 0.4)
                    comparer.kill()
            worker.kill()
            await worker.communicate()
        async with running(stage.command()):
            # On a busy machine the last comparer has a backlog to work off.
            await until(stage, lambda found: found.accounting.pending == 0, timeout_s=120)
            await asyncio.sleep(1.5)
            found = await until(stage, lambda found: found.accounting.pending == 0)

    books = found.accounting
    left = {path.name for path in stage.spool.iterdir() if path.is_dir()}
    assert left == {RUN}
    assert found.overall.matched == books.compared > 100
    assert found.overall.mismatched == 0
    assert set(books.losses) <= {"crash"}
    assert books.lost <= 5 * workers


async def test_frames_of_a_known_number_are_each_counted_once_through_kills(
    stage: Stage,
) -> None:
    dice = random.Random(11)
    written = 0

    async def write() -> None:
        nonlocal written
        for item in range(900):
            if item % 3 == 0:
                stage.mirror(item, core="other")
            else:
                stage.mirror(item)
            written += 1
            if item % 10 == 0:
                await asyncio.sleep(0.06)

    writing = asyncio.ensure_future(write())
    for _ in range(7):
        async with running(stage.command()) as comparer:
            before = (await stage.evidence()).accounting.compared
            if before < 900:
                await until(stage, compared(before + 1))
            await asyncio.sleep(dice.random() * 0.3)
            comparer.kill()
    await writing
    async with running(stage.command("--once")) as process:
        await process.wait()
    found = await stage.evidence()

    assert written == 900
    assert (found.overall.matched, found.overall.mismatched) == (600, 300)
    assert (found.accounting.mirrored, found.accounting.pending) == (900, 0)
