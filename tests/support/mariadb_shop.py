"""A small shop in a MariaDB, and what a source tells of it."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pymysql

from legacy_adapters.capture.mariadb import MariaDbSource
from legacy_adapters.mapping.rows import Column, ColumnKind, Row, Table
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Transaction
from tests.support.mariadb import MariaDb

ITEM = Table("item", ("id",), {"id": Column(ColumnKind.INTEGER), "name": Column(ColumnKind.TEXT)})
MAKE_MARKS = (
    "CREATE TABLE mig_fence (domain VARCHAR(99) PRIMARY KEY, owner VARCHAR(99), term BIGINT)",
    (
        "CREATE TABLE mig_applied (stream VARCHAR(99), domain VARCHAR(99), term BIGINT, "
        "barrier BIGINT, position BIGINT, PRIMARY KEY (stream, domain))"
    ),
    "CREATE TABLE mig_heartbeat (name VARCHAR(99) PRIMARY KEY, beat BIGINT, sent_us BIGINT)",
)
MAKE_ITEM = "CREATE TABLE item (id INT PRIMARY KEY, name VARCHAR(100))"


@dataclass(frozen=True)
class Shop:
    """A database of its own on a server."""

    server: MariaDb
    database: str

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        return self.server.run(*statements, database=self.database)

    def source(self, *tables: Table, name: str = "legacy>core") -> MariaDbSource:
        return MariaDbSource(self.server.url(self.database), tables or (ITEM,), name)

    def purge(self) -> None:
        """Drop all of the log but a new file; readers would keep it, also those just gone."""
        self.run("FLUSH BINARY LOGS")
        last = self.run("SHOW BINARY LOGS")[-1][0]
        while len(self.run("SHOW BINARY LOGS")) > 1:
            for (reader,) in self.run(
                "SELECT id FROM information_schema.processlist WHERE command = 'Binlog Dump'"
            ):
                with contextlib.suppress(pymysql.err.Error):
                    self.run(f"KILL {reader}")
            self.run(f"PURGE BINARY LOGS TO '{last}'")

    def insert(self, *numbers: int) -> None:
        """Items, each in a transaction of its own."""
        self.run(*(f"INSERT INTO item VALUES ({one}, 'item {one}')" for one in numbers))  # noqa: S608


@contextlib.contextmanager
def shop_on(server: MariaDb, *statements: str) -> Iterator[Shop]:
    """A fresh database with tables."""
    shop = Shop(server, f"t_{uuid.uuid4().hex}")
    server.run(f"CREATE DATABASE {shop.database}")
    shop.run(*(statements or (MAKE_ITEM,)), *MAKE_MARKS)
    try:
        yield shop
    finally:
        if server.process is not None:
            server.run(f"DROP DATABASE {shop.database}")


async def read_until(
    source: MariaDbSource, enough: Callable[[list[Transaction]], bool], after: Position | None
) -> list[Transaction]:
    """Transactions behind a position until there are enough of them."""
    found: list[Transaction] = []
    async with asyncio.timeout(60), source.read(after) as batches:
        async for batch in batches:
            found += batch.transactions
            if enough(found):
                break
    return found


async def read_to(
    source: MariaDbSource, end: Position, after: Position | None
) -> list[Transaction]:
    """Transactions between two positions."""
    found: list[Transaction] = []
    async with asyncio.timeout(60), source.read(after) as batches:
        async for batch in batches:
            found += batch.transactions
            if batch.read_to >= end:
                break
    return [one for one in found if one.position <= end]


def after_rows(found: Sequence[Transaction]) -> list[Row | None]:
    """What the changes left behind."""
    return [change.after for one in found for change in one.changes]
