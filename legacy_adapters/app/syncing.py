"""Wires the sync: sources by URL, oscar's kinds, the core's books, and who carries what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.app.clock import utc_now
from legacy_adapters.errors import FencedOut, SourceUnfit, TakenOver
from legacy_adapters.mapping.aggregates import SyncDomain
from legacy_adapters.mapping.dirtying import Reader
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.membership import Membership, membership
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import Side
from legacy_adapters.oscar.kinds import DOMAINS, kinds
from legacy_adapters.oscar.mapping.records import SYSTEM
from legacy_adapters.oscar.storage import SqlNumbers, upgrade_oscar
from legacy_adapters.ports.capture import ChangeSource
from legacy_adapters.ports.documents import Kind
from legacy_adapters.ports.fences import Fences
from legacy_adapters.ports.streams import Numbering
from legacy_adapters.service.applying import Applying, Target
from legacy_adapters.service.applying_forward import ForwardTarget
from legacy_adapters.service.applying_reverse import ReverseTarget
from legacy_adapters.service.beating import Beating
from legacy_adapters.service.streaming import Resolve, Streaming, as_it_is
from legacy_adapters.service.streaming_core import CoreMarks
from legacy_adapters.service.streaming_course import Course
from legacy_adapters.settings import OscarSettings
from legacy_adapters.storage import upgrade_sync
from legacy_adapters.storage.core_store import SqlCoreStore
from legacy_adapters.storage.fences_open import open_fences
from legacy_adapters.storage.rows_store import SqlRowStore, open_rows
from legacy_adapters.storage.stage import SqlStage
from legacy_adapters.storage.streams import SqlBooks
from legacy_adapters.storage.streams_holders import SqlHolders
from legacy_adapters.storage.streams_lease import SqlLease
from new_core.ports import UnitOfWork
from new_core.settings import CoreSettings
from new_core.storage import SqlDatabase, make_engine, make_reader, upgrade

FORWARD, REVERSE = stream_from(Side.LEGACY), stream_from(Side.CORE)
_CHECK_S = 1.0
_POOL = 12


@dataclass(frozen=True, slots=True)
class Shop:
    """What moves.

    Attributes:
        kinds: in the order in which they may be applied.
        system: the legacy's name in the core's external references.
    """

    kinds: tuple[Kind[Any], ...]
    domains: tuple[SyncDomain, ...]
    system: str
    numbering: Numbering


@dataclass(frozen=True, slots=True)
class Sync:
    """Both stores, opened, with all that carries between them.

    Attributes:
        domains: of the shop, those that have kinds.
        legacy_homes: of the legacy's tables; `core_homes` of the core's.
    """

    legacy_url: str
    shop: Shop
    domains: tuple[SyncDomain, ...]
    legacy_homes: Membership
    core_homes: Membership
    engine: AsyncEngine
    database: SqlDatabase
    books: SqlBooks
    stage: SqlStage
    rows: SqlRowStore
    core: SqlCoreStore
    sources: Mapping[Side, ChangeSource]
    fences: Mapping[Side, Fences]

    @property
    def kinds(self) -> tuple[Kind[Any], ...]:
        """In the order in which they may be applied."""
        return self.shop.kinds

    def of(self, domain: str) -> list[Kind[Any]]:
        """The kinds of a domain."""
        return [kind for kind in self.kinds if kind.domain == domain]

    def tables(self, side: Side) -> Mapping[str, Sequence[Table]]:
        """Tables of a store by domain."""
        homes = self.legacy_homes if side is Side.LEGACY else self.core_homes
        return {
            one.name: [home.table for home in homes.values() if home.domain == one.name]
            for one in self.domains
        }


class OscarNumbering:
    """Numbers for what was born in the core, as oscar's facade draws them."""

    async def give(
        self, uow: UnitOfWork, entity_type: str, ids: Sequence[UUID], now: datetime
    ) -> Mapping[UUID, str]:
        return await SqlNumbers(uow).give(entity_type, ids, now)


def oscar_shop() -> Shop:
    """An oscar shop as its settings say."""
    return Shop(kinds(OscarSettings()), DOMAINS, SYSTEM, OscarNumbering())


def open_source(url: str, tables: Sequence[Table], side: Side) -> ChangeSource:
    """The source that a URL's scheme asks for; drivers are imported with it.

    Raises:
        SourceUnfit: no such source, or its driver is missing.
    """
    scheme = url.partition(":")[0].partition("+")[0]
    try:
        if scheme == "sqlite":
            from legacy_adapters.capture.sqlite import SqliteSource  # noqa: PLC0415 - by scheme

            return SqliteSource(url, tables, str(side))
        if scheme in ("postgresql", "postgres"):
            from legacy_adapters.capture.postgres import PostgresSource  # noqa: PLC0415 - a driver

            return PostgresSource(url, tables, str(side))
        if scheme in ("mysql", "mariadb"):
            from legacy_adapters.capture.mariadb import MariaDbSource  # noqa: PLC0415 - a driver

            return MariaDbSource(url, tables, str(side))
    except ModuleNotFoundError as exc:
        raise SourceUnfit(
            f"the driver {exc.name} is missing: pip install 'banyan-migration[sync]'"
        ) from exc
    raise SourceUnfit(f"{scheme}: no database that can be kept in step; use sqlite, postgresql "
                      "or mysql")  # fmt: skip


@asynccontextmanager
async def open_sync(
    core: CoreSettings, legacy_url: str, shop: Shop | None = None
) -> AsyncIterator[Sync]:
    """Open both stores of a shop, by default oscar's, and bring the core's tables and ours up
    to date.

    Raises:
        AdapterError, CoreError: each says what to do about it.
    """
    if not legacy_url:
        raise SourceUnfit("no legacy database is named: set BANYAN_LEGACY_DATABASE or use --from")
    shop = shop or oscar_shop()
    found = shop.kinds
    domains = tuple(one for one in shop.domains if any(kind.domain == one.name for kind in found))
    of_kind = {kind.name: kind.domain for kind in found}
    legacy_homes = membership((kind.translation.shape, kind.domain) for kind in found)
    core_homes = membership((s, kind.domain) for kind in found for s in kind.documents.shapes)
    async with AsyncExitStack() as stack:
        engine = make_engine(core.database, busy_timeout_s=core.busy_timeout_s, pool_size=_POOL)
        database = SqlDatabase(engine, make_reader(core.database, pool_size=_POOL))
        stack.push_async_callback(database.dispose)
        await upgrade(engine)
        await upgrade_oscar(engine)
        await upgrade_sync(engine)
        rows = open_rows(legacy_url)
        stack.push_async_callback(rows.close)
        sources: dict[Side, ChangeSource] = {}
        fences: dict[Side, Fences] = {}
        for side, url, homes in (
            (Side.LEGACY, legacy_url, legacy_homes), (Side.CORE, core.database, core_homes),
        ):  # fmt: skip
            sources[side] = open_source(url, [home.table for home in homes.values()], side)
            stack.push_async_callback(sources[side].close)
            gate = open_fences(url, side)
            stack.push_async_callback(gate.close)
            fences[side] = gate
        by_domain = {one.name: [k.name for k in found if k.domain == one.name] for one in domains}
        yield Sync(
            legacy_url, shop, domains, legacy_homes, core_homes, engine, database,
            SqlBooks(engine, legacy_homes, by_domain),
            SqlStage(engine, legacy_homes, of_kind, utc_now),
            rows, SqlCoreStore(database), sources, fences,
        )  # fmt: skip


async def carry(sync: Sync, beside: Callable[[], Awaitable[None]] | None = None) -> None:
    """Keep both stores in step until cancelled; `beside` runs with it, e.g. to show figures.

    Raises:
        TakenOver, FencedOut: another process does so.
    """
    async with SqlLease(sync.engine).held() as check:
        try:
            async with asyncio.TaskGroup() as tasks:
                for work in (*_parts(sync), *([beside] if beside is not None else [])):
                    tasks.create_task(_ran(work))
                tasks.create_task(_watch(check))
        except* (TakenOver, FencedOut) as lost:
            raise TakenOver(str(_first(lost))) from lost


def _parts(sync: Sync) -> list[Callable[[], Awaitable[None]]]:
    names = [one.name for one in sync.domains]
    parts: list[Callable[[], Awaitable[None]]] = []
    for side, homes in ((Side.LEGACY, sync.legacy_homes), (Side.CORE, sync.core_homes)):
        stream = stream_from(side)
        course = Course(stream, names)
        resolve: Resolve = as_it_is
        if side is Side.CORE:
            resolve = core_marks(sync)
        reader = Reader(stream, side, homes)
        parts.append(
            Streaming(
                reader, sync.sources[side], sync.fences[side], sync.books, course, resolve, utc_now
            ).run
        )
        tables = {table: home.kind for table, home in homes.items()}
        parts += [
            Applying(name, course, sync.books, _target(sync, stream, name), tables, utc_now).run
            for name in names
        ]
        store = sync.rows if side is Side.LEGACY else sync.core
        parts.append(Beating(stream, store, utc_now).run)
    return parts


def core_marks(sync: Sync) -> CoreMarks:
    """Whose changed rows of the core are."""
    entity_types = {kind.name: kind.translation.entity_type for kind in sync.kinds}

    async def every(kind: str) -> Collection[str]:
        async with sync.database.reading() as uow:
            return [str(uid) for uid in await uow.refs.every(sync.shop.system, entity_types[kind])]

    return CoreMarks(sync.core_homes, sync.sources[Side.CORE], SqlHolders(sync.engine), every)


def _target(sync: Sync, stream: str, domain: str) -> Target:
    kinds_of = sync.of(domain)
    if stream == FORWARD:
        return ForwardTarget(
            stream, domain, kinds_of, sync.shop.system, sync.core, sync.books, utc_now
        )
    return ReverseTarget(
        stream, domain, kinds_of, sync.shop.system, sync.sources[Side.CORE], sync.core, sync.rows,
        sync.shop.numbering, sync.books, utc_now,
    )  # fmt: skip


async def _ran(work: Callable[[], Awaitable[None]]) -> None:
    await work()


async def _watch(check: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(_CHECK_S)
        await check()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    one: BaseException = group
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    return one
