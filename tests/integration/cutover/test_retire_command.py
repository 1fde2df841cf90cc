"""`banyan retire` over a real core's database and a real legacy one, both SQLite."""

from __future__ import annotations

import asyncio
import gzip
import json
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from cutover.api.gather import SourceAway
from cutover.api.readings import ProxyState
from cutover.api.sampling import open_sampler, sampling, tables_of
from cutover.cli.tree import build
from legacy_adapters.storage.retirement import SampleRow, SqlRetirement
from legacy_adapters.storage.tables import retirement
from new_core.storage import make_engine
from tests.support.seeded_data import SeededData

pytestmark = pytest.mark.integration

DAYS = 1


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SeededData:
    """Orders on the core for two days, with a sample every ten minutes."""
    seeded = SeededData(tmp_path)
    asyncio.run(_seed(seeded))
    legacy = tmp_path / "legacy.sqlite3"
    with sqlite3.connect(legacy) as shop:
        for table in tables_of()["orders"]:
            shop.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, note TEXT, raw BLOB)")
        shop.execute("INSERT INTO order_order VALUES (1, 'Zoë', x'00ff'), (2, NULL, NULL)")
    monkeypatch.setenv("BANYAN_VAR", str(tmp_path))
    monkeypatch.setenv("BANYAN_CORE_DATABASE", seeded.core)
    monkeypatch.setenv("BANYAN_LEGACY_DATABASE", f"sqlite:///{legacy}")
    monkeypatch.setenv("BANYAN_SIDE_DOOR", "127.0.0.1:9")
    return seeded


async def _seed(data: SeededData) -> None:
    await data.install({"orders": ("core", 5)})
    await data.flip(1, "orders", outcome="committed", began_at=data.now - timedelta(days=2))
    rows = [a_row(data.now - timedelta(minutes=10 * back)) for back in range(DAYS * 144 + 2)]
    engine = make_engine(data.core)
    await SqlRetirement(engine).add(rows)
    await engine.dispose()


def a_row(at: datetime) -> SampleRow:
    return SampleRow(
        "orders", at, "core", 5, 0, 0, 40, "", at, None, "SQLite counts no reads", None
    )


def run(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(build("retire"), ["retire", *words])
    return found.exit_code, found.output


def retire(folder: Path, *more: str) -> tuple[int, str]:
    key = str(folder.parent / "key.pem")
    asked = ["orders", "--days", str(DAYS), "--archive", str(folder), "--key", key]
    return run(*asked, *more)


ACCEPTED = ("--accept-unshown", "a small shop", "--yes")


def test_what_a_database_cannot_tell_refuses_until_a_reason_accepts_it(
    data: SeededData, tmp_path: Path
) -> None:
    code, told = retire(tmp_path / "out", "--yes")

    assert code == 3
    assert "not shown reads: SQLite counts no reads" in told
    assert not (tmp_path / "out").exists()


def test_a_retirement_archives_every_row_and_is_verified(data: SeededData, tmp_path: Path) -> None:
    folder = tmp_path / "out"

    code, told = retire(folder, *ACCEPTED)

    assert code == 0, told
    rows = gzip.decompress((folder / "order_order.jsonl.gz").read_bytes()).decode().splitlines()
    assert json.loads(rows[0]) == {"id": 1, "note": "Zoë", "raw": {"base64": "AP8="}}
    assert len(rows) == 2
    certificate = json.loads((folder / "certificate.json").read_text())
    assert certificate["accepted"] == "a small shop"
    names = {f"{table}.jsonl.gz" for table in tables_of()["orders"]} | {"samples.jsonl.gz"}
    assert {one["name"] for one in certificate["files"]} == names
    assert run("verify", str(folder), "--public", certificate["key"])[0] == 0
    assert asyncio.run(retired(data)) == ["orders"]


async def retired(data: SeededData) -> list[str]:
    engine = make_engine(data.core)
    async with engine.connect() as connection:
        found = await connection.execute(sa.select(retirement.retired.c.domain))
        names = list(found.scalars())
    await engine.dispose()
    return names


def test_nobody_who_could_say_yes_writes_nothing(data: SeededData, tmp_path: Path) -> None:
    code, _ = retire(tmp_path / "out", *ACCEPTED[:2])

    assert code == 3
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_left_alone(data: SeededData, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")

    found = CliRunner().invoke(
        build("retire"),
        ["retire", "orders", "--days", "1", "--archive", str(tmp_path / "out"),
         "--key", str(tmp_path / "key.pem"), *ACCEPTED],
    )  # fmt: skip

    assert "is not empty" in str(found.exception)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_a_rogue_write_in_the_legacy_refuses_though_it_was_settled(
    data: SeededData, tmp_path: Path
) -> None:
    asyncio.run(data.rogue("orders", "legacy", "order_order", ["7"]))

    code, told = retire(tmp_path / "out", *ACCEPTED)

    assert code == 3
    assert "1 writes were not the replicator's" in told


def test_a_changed_archive_is_not_verified(data: SeededData, tmp_path: Path) -> None:
    retire(tmp_path / "out", *ACCEPTED)
    path = tmp_path / "out" / "order_order.jsonl.gz"
    path.write_bytes(gzip.compress(b"{}\n{}\n"))

    code, told = run("verify", str(tmp_path / "out"))

    assert code == 1
    assert "order_order.jsonl.gz was changed" in told


async def test_a_sample_tells_what_each_source_said(data: SeededData, tmp_path: Path) -> None:
    async def answered() -> tuple[dict[tuple[str, str], int], int]:
        return {("cart", "legacy"): 4, ("checkout", "core"): 9, ("catalog", "legacy"): 8}, 3

    legacy = f"sqlite:///{tmp_path / 'legacy.sqlite3'}"
    async with open_sampler(data.core, legacy, answered) as sampler:
        many = await sampler.sample()
        case = await sampler.case("orders", DAYS)

    last = case.samples[-1]
    assert many == 1
    assert (last.legacy_requests, last.unmatched, last.position) == (4, 3, 184_203_991)
    assert (last.reads, last.unread, last.writes) == (None, "SQLite counts no reads", None)
    assert last.at_s >= data.now.timestamp()


async def test_a_room_that_is_up_looks_by_itself_and_needs_no_proxy(
    data: SeededData, tmp_path: Path
) -> None:
    async def state() -> ProxyState:
        raise SourceAway("does not answer")

    before = await count(data)
    async with sampling(data.core, f"sqlite:///{tmp_path / 'legacy.sqlite3'}", state):
        async with asyncio.timeout(20):
            while await count(data) == before:
                await asyncio.sleep(0.05)


async def test_a_room_over_a_store_that_is_away_stays_up(data: SeededData, tmp_path: Path) -> None:
    async def state() -> ProxyState:
        return ProxyState(ready=True)

    async with sampling(data.core, f"sqlite:///{tmp_path / 'gone.sqlite3'}", state):
        await asyncio.sleep(0.2)

    assert not (tmp_path / "gone.sqlite3").exists()


async def count(data: SeededData) -> int:
    engine = make_engine(data.core)
    async with engine.connect() as connection:
        asked = sa.select(sa.func.count()).select_from(retirement.sample)
        many = int((await connection.execute(asked)).scalar_one())
    await engine.dispose()
    return many
