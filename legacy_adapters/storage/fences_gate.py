"""Fences of one database, whichever it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from legacy_adapters.errors import SourceUnfit
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import NOBODY, Side
from legacy_adapters.ports.fences import FenceRow, Fencing
from legacy_adapters.storage.fences_rules import fenced_tables, is_closed, is_open
from legacy_adapters.storage.opening import begin_writing, ours
from legacy_adapters.storage.tables import marks as t

T = TypeVar("T")


class Gatekeeper(Protocol):
    """What differs from database to database. Raises the database's own errors."""

    async def make_marks(self, engine: AsyncEngine) -> None:
        """Make the marks' tables where they are not there."""
        ...

    async def fence(self, engine: AsyncEngine, tables: Mapping[str, str]) -> None:
        """Make the triggers of tables by domain, where they are not there.

        Raises:
            FenceTimeout: a table is written to without a pause.
            SourceUnfit: a table cannot be fenced.
        """
        ...

    async def unfence(self, engine: AsyncEngine, tables: Sequence[str] | None) -> None:
        """Take triggers away: those of the tables, or all."""
        ...

    async def gaps(self, connection: AsyncConnection, tables: Mapping[str, str]) -> Sequence[str]:
        """Tables among these whose triggers are not as `fence` makes them."""
        ...

    async def change(
        self, engine: AsyncEngine, domain: str, statement: sa.Update, wait_s: float
    ) -> tuple[bool, float]:
        """Change a fence row when all writers of the domain are through.

        Returns:
            Whether a row was changed, and how long that took, in seconds.

        Raises:
            FenceTimeout: they were not through in time; nothing changed.
        """
        ...


class SqlFences:
    """Fences of a database; see the port."""

    def __init__(self, engine: AsyncEngine, side: Side, keeper: Gatekeeper) -> None:
        self._engine = engine
        self._side = side
        self._keeper = keeper
        self._has_rows = False

    @property
    def side(self) -> Side:
        return self._side

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def install(self, domains: Mapping[str, Sequence[Table]], owner: Side) -> None:
        tables = fenced_tables(domains)

        async def run() -> None:
            await self._keeper.make_marks(self._engine)
            # The rows come first: a trigger without a row refuses everybody.
            await self._make_rows(domains, owner)
            await self._keeper.fence(self._engine, tables)
            stale = [
                name
                for name, domain in (await self._fenced()).items()
                if domain in domains and name not in tables
            ]
            await self._keeper.unfence(self._engine, stale)
            await self._note(tables, stale)

        await _translated(run)

    async def remove(self) -> None:
        async def run() -> None:
            self._has_rows = False
            await self._keeper.unfence(self._engine, None)
            async with self._engine.connect() as connection:
                await begin_writing(connection)
                for table in (*t.EVERYWHERE, t.role):
                    if self._side is Side.LEGACY:
                        await connection.execute(sa.schema.DropTable(table, if_exists=True))
                    elif table is not t.role and await _has(connection, table):
                        # The core's migrations made them and count on them.
                        await connection.execute(sa.delete(table))
                await connection.commit()

        await _translated(run)

    async def rows(self) -> Mapping[str, FenceRow]:
        async def run() -> Mapping[str, FenceRow]:
            async with self._engine.connect() as connection:
                # Looking for a table costs many times what reading it does, while writes wait.
                if not self._has_rows and not await _has(connection, t.fence):
                    return {}
                self._has_rows = True
                found = await connection.execute(sa.select(t.fence))
                return {row.domain: FenceRow(row.domain, row.owner, row.term) for row in found}

        return await _translated(run)

    async def gaps(self, domains: Sequence[str]) -> Sequence[str]:
        """Tables of domains that were fenced and are not any more, e.g. made anew."""

        async def run() -> Sequence[str]:
            async with self._engine.connect() as connection:
                tables = {
                    name: domain
                    for name, domain in (await _fenced(connection)).items()
                    if domain in domains
                }
                return await self._keeper.gaps(connection, tables)

        return await _translated(run)

    async def close_gate(self, domain: str, *, term: int, wait_s: float) -> Fencing:
        row = (await self.rows()).get(domain)
        if row is None or (row.owner, row.term) != (self._side.value, term):
            # Whoever makes all writers wait should have a reason.
            return Fencing(is_closed(row, term), 0.0, row)
        gaps = await self.gaps([domain])
        if gaps:
            raise SourceUnfit(f"{', '.join(gaps)} lost the fence; install it again")
        here = t.fence.c
        statement = (
            sa.update(t.fence)
            .where(here.domain == domain, here.owner == self._side.value, here.term == term)
            .values(owner=NOBODY, term=term + 1)
        )
        return await self._changed(domain, statement, wait_s, lambda row: is_closed(row, term))

    async def open_gate(self, domain: str, owner: Side, *, term: int, wait_s: float) -> Fencing:
        here = t.fence.c
        statement = (
            sa.update(t.fence)
            .where(here.domain == domain, here.term < term)
            .values(owner=owner.value, term=term)
        )
        return await self._changed(domain, statement, wait_s, lambda row: is_open(row, owner, term))

    async def _changed(
        self,
        domain: str,
        statement: sa.Update,
        wait_s: float,
        is_done: Callable[[FenceRow | None], bool],
    ) -> Fencing:
        async def run() -> tuple[bool, float]:
            return await self._keeper.change(self._engine, domain, statement, wait_s)

        changed, waited_s = await _translated(run)
        row = (await self.rows()).get(domain)
        return Fencing(changed or is_done(row), waited_s, row)

    async def _make_rows(self, domains: Mapping[str, Sequence[Table]], owner: Side) -> None:
        known = await self.rows()
        for domain in (one for one in domains if one not in known):
            values = {"domain": domain, "owner": owner.value, "term": 1}
            await self._add(sa.insert(t.fence).values(values))

    async def _fenced(self) -> dict[str, str]:
        async with self._engine.connect() as connection:
            return await _fenced(connection)

    async def _note(self, tables: Mapping[str, str], stale: Sequence[str]) -> None:
        name, known = t.fenced.c.table_name, await self._fenced()
        moved = [one for one, domain in known.items() if tables.get(one, domain) != domain]
        if moved or stale:
            async with self._engine.connect() as connection:
                await begin_writing(connection)
                await connection.execute(sa.delete(t.fenced).where(name.in_([*moved, *stale])))
                await connection.commit()
        for table, domain in tables.items():
            if known.get(table) != domain:
                values = {"table_name": table, "domain": domain}
                await self._add(sa.insert(t.fenced).values(values))

    async def _add(self, statement: sa.Insert) -> None:
        """Add a row; who installs at the same time may have added it, and theirs is as good."""
        async with self._engine.connect() as connection:
            await begin_writing(connection)
            try:
                await connection.execute(statement)
                await connection.commit()
            except IntegrityError:
                await connection.rollback()


async def _fenced(connection: AsyncConnection) -> dict[str, str]:
    found = await connection.execute(sa.select(t.fenced))
    return {row.table_name: row.domain for row in found}


async def _has(connection: AsyncConnection, table: sa.Table) -> bool:
    return await connection.run_sync(lambda sync: sa.inspect(sync).has_table(table.name))


async def _translated(run: Callable[[], Awaitable[T]]) -> T:
    try:
        return await run()
    except (SQLAlchemyError, OSError) as exc:
        raise ours(exc) from exc
