"""The sync of the toy shop on real databases, as a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.app.syncing import Shop, Sync, carry, open_sync
from legacy_adapters.errors import AdapterError
from new_core.settings import CoreSettings
from new_core.storage import make_engine
from tests.fakes.toy_kinds import SYSTEM, make_core_tables, toy_kinds
from tests.fakes.toy_shop import DOMAINS
from tests.support.toy_world import Numbers

LEGACY_TABLES = (
    "CREATE TABLE shop_customer (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL)",
    (
        "CREATE TABLE shop_address (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " customer_id INTEGER NOT NULL REFERENCES shop_customer (id), street TEXT NOT NULL)"
    ),
    "CREATE TABLE shop_billing (id INTEGER PRIMARY KEY AUTOINCREMENT, street TEXT NOT NULL)",
    (
        "CREATE TABLE shop_order (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " customer_id INTEGER REFERENCES shop_customer (id),"
        " billing_id INTEGER REFERENCES shop_billing (id), total INTEGER NOT NULL,"
        " memo TEXT NOT NULL)"
    ),
    (
        "CREATE TABLE shop_line (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " order_id INTEGER NOT NULL REFERENCES shop_order (id), what TEXT NOT NULL,"
        " quantity INTEGER NOT NULL)"
    ),
    (
        "CREATE TABLE shop_option (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " line_id INTEGER NOT NULL REFERENCES shop_line (id), word TEXT NOT NULL)"
    ),
    "CREATE TABLE shop_visit (id INTEGER PRIMARY KEY AUTOINCREMENT, seen TEXT NOT NULL)",
)


def toy_shop() -> Shop:
    return Shop(toy_kinds(), DOMAINS, SYSTEM, Numbers())


@asynccontextmanager
async def opened(legacy: str, core: str) -> AsyncIterator[Sync]:
    settings = CoreSettings().model_copy(update={"core_database": core})
    async with open_sync(settings, legacy, toy_shop()) as sync:
        yield sync


async def prepare(legacy: str, core: str) -> None:
    """Make the tables of both shops. The legacy is a SQLite file."""
    for url, make in ((legacy, _legacy_tables), (core, _core_tables)):
        engine = make_engine(url)
        await make(engine)
        await engine.dispose()


async def _legacy_tables(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        for statement in LEGACY_TABLES:
            await connection.execute(text(statement))


async def _core_tables(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await make_core_tables(connection)


async def _run(legacy: str, core: str, said: Connection) -> None:
    async with opened(legacy, core) as sync:
        said.send("running")
        await carry(sync)


def serve(legacy: str, core: str, said: Connection) -> None:
    """What a process does; it says "running", or why it cannot."""
    try:
        asyncio.run(_run(legacy, core, said))
    except AdapterError as exc:
        said.send(str(exc))


class Running:
    """A process that syncs, which may be killed and started anew. Forked from a server that has
    imported all of it once, so that many deaths take little time.
    """

    def __init__(self, legacy: str, core: str) -> None:
        self._where = legacy, core
        self.said: Connection
        self._process: BaseProcess
        self.start()
        assert self.hear() == "running"

    def start(self) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self.said, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=serve, args=(*self._where, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def hear(self) -> str:
        """The next thing that it says."""
        assert self.said.poll(60)
        return str(self.said.recv())

    def again(self) -> None:
        """Kill it and start it."""
        self.end()
        self.start()
        assert self.hear() == "running"

    def end(self) -> None:
        """kill -9"""
        self._process.kill()
        self._process.join(20)
        self.said.close()
