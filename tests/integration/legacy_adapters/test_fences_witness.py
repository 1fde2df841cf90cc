"""A closing gate among many writers: the database's own log is the witness."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.row_event import UpdateRowsEvent, WriteRowsEvent
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from legacy_adapters.mapping.versions import NOBODY, Side
from legacy_adapters.storage.fences_gate import SqlFences
from tests.support.databases import database_of
from tests.support.fenced_shop import DOMAINS, Shop, fences_of

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(120),
    # The reader of the binary log calls the driver by old names.
    pytest.mark.filterwarnings("ignore:.* is deprecated, use:DeprecationWarning"),
]

WRITERS, ROUNDS = 12, 6
OPEN_S = 0.05
INSERT = "INSERT INTO shop_sale (note) VALUES ('bought')"


@dataclass
class Writers:
    """Clients whose transactions overlap and take OPEN_S each; they go on when refused."""

    shop: Shop
    committed: int = 0
    refused: int = 0
    other: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def open_s(self) -> float:
        """SQLite's writers wait for each other, and in no order."""
        return 0.005 if self.shop.dialect == "sqlite" else OPEN_S

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._write) for _ in range(WRITERS)]
        for one in threads:
            one.start()
        try:
            yield
        finally:
            self.over.set()
            for one in threads:
                one.join()

    def _write(self) -> None:
        with self.shop.engine.connect() as connection:
            while not self.over.is_set():
                try:
                    connection.exec_driver_sql(INSERT)
                    time.sleep(self.open_s)
                    connection.exec_driver_sql(INSERT)
                    connection.commit()
                except DBAPIError as exc:
                    connection.rollback()
                    self._failed(str(exc.orig))
                else:
                    with self.lock:
                        self.committed += 1

    def _failed(self, text: str) -> None:
        with self.lock:
            if "MIG_FENCED" in text:
                self.refused += 1
            else:
                self.other.append(text)
        time.sleep(0.01)


def watch(shop: Shop) -> str:
    """From now on the log can be read in the order of commits; MariaDB's from this place.

    Without a place its log is read from the first file, which others may have purged.
    """
    if shop.dialect == "mysql":
        with shop.engine.connect() as connection:
            return str(connection.exec_driver_sql("SELECT @@gtid_binlog_pos").scalar_one())
    if shop.dialect == "postgresql":
        shop.run("CREATE PUBLICATION seen FOR TABLE shop_sale, mig_fence")
        shop.run(
            "SELECT pg_create_logical_replication_slot('seen_' || current_database(), 'pgoutput')"
        )
    if shop.dialect == "sqlite":
        # One writes at a time, so that the numbers are in the order of commits.
        shop.run(
            "CREATE TABLE seen (id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT)",
            "CREATE TRIGGER seen_row AFTER INSERT ON shop_sale"
            " BEGIN INSERT INTO seen (owner) VALUES (NULL); END",
            "CREATE TRIGGER seen_fence AFTER UPDATE ON mig_fence WHEN new.domain = 'orders'"
            " BEGIN INSERT INTO seen (owner) VALUES (new.owner); END",
        )
    return ""


def told(shop: Shop, since: str) -> list[str | None]:
    """In the order of commits: None for a row of the shop, or the fence's new owner."""
    if shop.dialect == "sqlite":
        with shop.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT owner FROM seen ORDER BY id")
            return [row.owner for row in found]
    return _of_postgresql(shop) if shop.dialect == "postgresql" else _of_mariadb(shop, since)


def _of_postgresql(shop: Shop) -> list[str | None]:
    """What pgoutput says: I is an inserted row, U an updated one, which only fences are."""
    with shop.engine.connect() as connection:
        # The log is read as far as it is on the disk; this takes the last commits there.
        connection.exec_driver_sql("SET synchronous_commit = on")
        connection.exec_driver_sql("CREATE TABLE last_of_all ()")
        connection.commit()
        found = connection.exec_driver_sql(
            "SELECT data FROM pg_logical_slot_get_binary_changes('seen_' || current_database(),"
            " NULL, NULL, 'proto_version', '1', 'publication_names', 'seen')"
        )
        told = [bytes(row.data) for row in found]
        connection.exec_driver_sql("SELECT pg_drop_replication_slot('seen_' || current_database())")
    owners = (NOBODY, *Side)
    return [
        None if one[:1] == b"I" else next(name for name in owners if name.encode() in one)
        for one in told
        if one[:1] in {b"I", b"U"}
    ]


def _of_mariadb(shop: Shop, since: str) -> list[str | None]:
    url = make_url(shop.url)
    settings: dict[str, Any] = {"host": url.host, "port": url.port, "user": url.username}
    stream = BinLogStreamReader(
        connection_settings=settings,
        server_id=4711,
        is_mariadb=True,
        auto_position=since,
        only_schemas=[url.database],
        only_tables=["shop_sale", "mig_fence"],
        only_events=[WriteRowsEvent, UpdateRowsEvent],
    )
    with contextlib.closing(stream):
        found: list[str | None] = []
        for event in stream:
            for row in event.rows:
                is_fence = event.table == "mig_fence" and "after_values" in row
                if is_fence:
                    found.append(row["after_values"]["owner"])
                elif event.table == "shop_sale" and row["values"]["note"] == "bought":
                    found.append(None)
        return found


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    with database_of(request, tmp_path_factory) as url:
        found = Shop(url)
        found.make()
        yield found


async def test_no_row_stands_in_the_log_between_a_closed_gate_and_the_open_one(
    shop: Shop,
) -> None:
    writers = Writers(shop)
    async with fences_of(shop) as fences:
        await fences.install(DOMAINS, Side.LEGACY)
        since = watch(shop)
        with writers.at_work():
            await _close_and_open(shop, fences)

    log, owner, inside = told(shop, since), "legacy", 0
    for one in log:
        owner = one or owner
        inside += one is None and owner == NOBODY
    assert [one for one in log if one] == [NOBODY, "legacy"] * ROUNDS
    assert sum(one is None for one in log) == 2 * writers.committed
    assert inside == 0
    assert writers.committed > ROUNDS
    assert writers.refused > 0
    assert writers.other == []


async def _close_and_open(shop: Shop, fences: SqlFences) -> None:
    for term in range(1, 2 * ROUNDS, 2):
        await asyncio.sleep(0.1)
        closed = await fences.close_gate("orders", term=term, wait_s=20)
        assert closed.changed
        before = shop.rows(DOMAINS["orders"][0])
        await asyncio.sleep(2 * OPEN_S)
        assert shop.rows(DOMAINS["orders"][0]) == before
        await fences.open_gate("orders", Side.LEGACY, term=term + 2, wait_s=20)
