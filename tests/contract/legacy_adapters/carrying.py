"""Both stores, served, and the way between them, gone by hand."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from legacy_adapters.mapping.aggregates import AggregateRows
from legacy_adapters.oscar.kinds import kinds
from legacy_adapters.oscar.mapping.records import SYSTEM
from legacy_adapters.oscar.storage import SqlNumbers
from legacy_adapters.ports.documents import Kind
from legacy_adapters.settings import OscarSettings
from legacy_adapters.storage.stage_counters import raise_counters
from new_core.domain.identity import ExternalRef, core_id
from new_core.storage import SqlDatabase, make_engine, make_reader
from tests.contract.legacy_adapters.shops import (
    Server,
    Shop,
    prepare_shop,
    run_backfill,
    serve_core,
    serve_shop,
)
from tests.integration.legacy_adapters.documents import NOW
from tests.support.oscar_rows import aggregates_of


@dataclass
class Stores:
    """Both stores, and the way between them, gone by hand."""

    shop: Shop
    oscar: Server
    core: Server
    database: str
    secret: str
    carried: tuple[str, ...]

    def kinds(self) -> Mapping[str, Kind[object]]:
        settings = OscarSettings.model_validate({"secret_key": self.secret})
        return {one.name: one for one in kinds(settings)}

    def to_core(self) -> None:
        """Carry everything over."""
        asyncio.run(self._to_core())

    def to_oscar(self) -> None:
        """Carry everything back."""
        asyncio.run(self._to_oscar())

    async def _to_core(self) -> None:
        async with self._open() as database:
            for name in self.carried:
                kind = self.kinds()[name]
                found = self.aggregates(kind)
                async with database.writing() as uow:
                    known: dict[tuple[str, str], UUID] = {}
                    for what in {one for rows in found for one, _ in kind.translation.refers(rows)}:
                        refs = await uow.refs.every(SYSTEM, what)
                        known |= {(what, key): ident for ident, key in refs.items()}
                    docs = [kind.translation.forward(rows, known) for rows in found]
                    assert await kind.documents.write(uow, docs, NOW) == {}
                    refs_of = (kind.translation.names(rows, known) for rows in found)
                    named = {name: ident for some in refs_of for name, ident in some.items()}
                    await uow.refs.put(
                        [ExternalRef(SYSTEM, *one, ident, "") for one, ident in named.items()], NOW
                    )
                    await uow.commit()

    async def _to_oscar(self) -> None:
        async with self._open() as database:
            for name in self.carried:
                kind = self.kinds()[name]
                async with database.writing() as uow:
                    ids = await kind.documents.page(uow, None, 10_000)
                    docs = await kind.documents.read(uow, ids)
                    before = {self._id(kind, rows): rows for rows in self.aggregates(kind)}
                    for ident, doc in docs.items():
                        numbers: dict[UUID, str] = {}
                        for own in kind.translation.owns(doc):
                            fresh = {own.id: own.key}
                            if not own.key:
                                fresh = await SqlNumbers(uow).give(own.entity_type, [own.id], NOW)
                            numbers |= {own.id: fresh[own.id]}
                        points = [one.id for one in kind.translation.points_at(doc)]
                        numbers |= await uow.refs.external(SYSTEM, points)
                        sidecar = before.get(ident, {})
                        self._put(kind, sidecar, kind.translation.reverse(doc, sidecar, numbers))
                    await uow.commit()

    def documents(self, name: str) -> list[Any]:
        """All documents of a kind in the core."""
        return asyncio.run(self._documents(self.kinds()[name]))

    async def _documents(self, kind: Kind[object]) -> list[Any]:
        async with self._open() as database, database.reading() as uow:
            ids = await kind.documents.page(uow, None, 10_000)
            return list((await kind.documents.read(uow, ids)).values())

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[SqlDatabase]:
        database = SqlDatabase(make_engine(self.database), make_reader(self.database))
        try:
            yield database
        finally:
            await database.dispose()

    def aggregates(self, kind: Kind[object]) -> list[AggregateRows]:
        """All aggregates of a kind in the shop."""
        return aggregates_of(self.shop.database, kind.translation.shape)

    def _put(self, kind: Kind[object], before: AggregateRows, after: AggregateRows) -> None:
        with contextlib.closing(sqlite3.connect(self.shop.database, timeout=30)) as connection:
            for table in kind.translation.shape.tables:
                kept = {one[table.key[0]] for one in after.get(table.name, ())}
                for row in before.get(table.name, ()):
                    if row[table.key[0]] not in kept:
                        where = f"DELETE FROM {table.name} WHERE {table.key[0]} = ?"  # noqa: S608 - our own names
                        connection.execute(where, [row[table.key[0]]])
                for row in after.get(table.name, ()):
                    names = ", ".join(f'"{name}"' for name in row)
                    marks = ", ".join("?" * len(row))
                    put = f"INSERT OR REPLACE INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - our own names
                    connection.execute(put, list(row.values()))
            connection.commit()

    def _id(self, kind: Kind[object], rows: AggregateRows) -> UUID:
        named = kind.translation.names(rows, {})
        root = kind.translation.shape.root
        key = str(rows[root.name][0][root.key[0]])
        entity = kind.translation.entity_type
        # A thing that was born in the core has its id by its number.
        return (
            self._known().get((entity, key))
            or named.get((entity, key))
            or core_id(SYSTEM, entity, key)
        )

    def _known(self) -> dict[tuple[str, str], UUID]:
        path = self.database.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
            chosen = "SELECT entity_type, external_id, internal_id FROM external_ref"
            return {(one, key): UUID(ident) for one, key, ident in connection.execute(chosen)}


@contextlib.contextmanager
def both_stores(shop_folder: Path, folder: Path, carried: tuple[str, ...]) -> Iterator[Stores]:
    """Oscar with some vouchers, and a core that was filled from it."""
    shop = prepare_shop(shop_folder, vouchers=True)
    database = f"sqlite:///{folder / 'core.sqlite3'}"
    secret = (shop.folder / "secret.key").read_text().strip()
    assert run_backfill(shop.url, database).status == 0
    # As `banyan sync install` does it: a key of the core's moves SQLite's counters.
    tables = [t for one in kinds(OscarSettings()) for t in one.translation.shape.tables]
    asyncio.run(raise_counters(f"sqlite:///{shop.database}", tables))
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("BANYAN_OSCAR_SECRET_KEY", secret)
        oscar = stack.enter_context(serve_shop(shop))
        core = replace(
            stack.enter_context(serve_core(database, folder / "core.log")), prefix="/facade/oscar"
        )
        yield Stores(shop, oscar, core, database, secret, carried)
