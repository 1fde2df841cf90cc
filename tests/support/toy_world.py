"""The sync engine between two toy stores, moved step by step, and killed where a test likes."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from uuid import UUID

from typing_extensions import override

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.dirtying import Reader
from legacy_adapters.mapping.landing import Dirty, Step
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.membership import membership
from legacy_adapters.mapping.rows import Row, Table
from legacy_adapters.mapping.versions import NOBODY, Side
from legacy_adapters.service.applying import Applying, Target
from legacy_adapters.service.applying_forward import ForwardTarget
from legacy_adapters.service.applying_reverse import ReverseTarget
from legacy_adapters.service.streaming import Resolve, Streaming, as_it_is
from legacy_adapters.service.streaming_core import CoreMarks
from legacy_adapters.service.streaming_course import Course
from legacy_adapters.storage import upgrade_sync
from legacy_adapters.storage.stage import SqlStage
from legacy_adapters.storage.streams import SqlBooks
from new_core.domain.identity import ExternalRef
from new_core.ports import UnitOfWork
from new_core.storage import SqlDatabase, make_engine, make_reader, upgrade
from tests.fakes.sync import Core, Dead, Hands, Legacy, Log
from tests.fakes.toy_kinds import SYSTEM, Doc, make_core_tables, toy_kinds
from tests.fakes.toy_shop import DOMAINS, HOMES, OF_KIND

FORWARD, REVERSE = stream_from(Side.LEGACY), stream_from(Side.CORE)
NAMES = tuple(domain.name for domain in DOMAINS)
FIRST_OWN = 1_000_000_000


class Numbers:
    """Draws numbers as external references."""

    async def give(
        self, uow: UnitOfWork, entity_type: str, ids: Sequence[UUID], now: datetime
    ) -> Mapping[UUID, str]:
        taken = [int(one) for one in (await uow.refs.every(SYSTEM, entity_type)).values()]
        first = max([FIRST_OWN - 1, *taken]) + 1
        drawn = {uid: str(first + at) for at, uid in enumerate(ids)}
        refs = [ExternalRef(SYSTEM, entity_type, key, uid, "") for uid, key in drawn.items()]
        await uow.refs.put(refs, now)
        return drawn


class NobodyElse:
    """The toy core has roots alone: nothing is to be asked."""

    async def column(
        self, table: Table, column: str, keys: Collection[str]
    ) -> Mapping[str, str | None]:
        raise AssertionError(table.name)

    async def naming(
        self, table: Table, column: str, values: Collection[str]
    ) -> Mapping[str, Sequence[str]]:
        raise AssertionError(table.name)


class MortalBooks(SqlBooks):
    """Books in which a process may die right before or right after it writes."""

    dies_before = ""
    dies_after = ""

    def _maybe(self, when: str, what: str) -> None:
        if getattr(self, when) == what:
            setattr(self, when, "")
            raise Dead

    @override
    async def advance(self, step: Step, now: datetime) -> int:
        self._maybe("dies_before", "advance")
        found = await super().advance(step, now)
        self._maybe("dies_after", "advance")
        return found

    @override
    async def applied(self, stream: str, domain: str, done: Sequence[Dirty], now: datetime) -> None:
        self._maybe("dies_before", "applied")
        await super().applied(stream, domain, done, now)
        self._maybe("dies_after", "applied")


class World:
    """Both stores, and a sync that is made anew whenever it died."""

    def __init__(self, file: Path) -> None:
        self.engine = make_engine(f"sqlite:///{file}")
        self.database = SqlDatabase(self.engine, make_reader(f"sqlite:///{file}"))
        self.kinds = toy_kinds()
        self.hands = Hands()
        self.legacy, self.core = Legacy(NAMES), Core(self.database, self.kinds, NAMES)
        self.books = MortalBooks(self.engine, HOMES, {one.name: one.kinds for one in DOMAINS})
        self.stage = SqlStage(self.engine, HOMES, OF_KIND, self.hands.now)
        self.begin()

    def begin(self) -> None:
        """A new process."""
        core_homes = membership(
            (shape, kind.domain) for kind in self.kinds for shape in kind.documents.shapes
        )

        async def none(kind: str) -> Collection[str]:
            return [str(uid) for uid in await self.core.docs(kind)]

        self.courses = {name: Course(name, NAMES) for name in (FORWARD, REVERSE)}
        marks = CoreMarks(core_homes, self.core.log, NobodyElse(), none)
        self.streams = {
            FORWARD: self._stream(Reader(FORWARD, Side.LEGACY, HOMES), self.legacy, as_it_is),
            REVERSE: self._stream(Reader(REVERSE, Side.CORE, core_homes), self.core, marks),
        }
        self.appliers = [
            self._applier(stream, domain) for stream in (FORWARD, REVERSE) for domain in NAMES
        ]

    def _stream(self, reader: Reader, store: Legacy | Core, resolve: Resolve) -> Streaming:
        return Streaming(
            reader, store.log, store.log, self.books, self.courses[reader.stream],
            resolve, self.hands.now, _no_sleep,
        )  # fmt: skip

    def _applier(self, stream: str, domain: str) -> Applying:
        kinds = [kind for kind in self.kinds if kind.domain == domain]
        place, now = (stream, domain, kinds, SYSTEM), self.hands.now
        target: Target = ForwardTarget(*place, self.core, self.books, now)
        if stream == REVERSE:
            target = ReverseTarget(
                *place,
                self.core.log,
                self.core,
                self.legacy,
                Numbers(),
                self.books,
                now,
            )
        tables = {home.table.name: home.kind for home in HOMES.values()}
        return Applying(domain, self.courses[stream], self.books, target, tables, now, _no_sleep)

    async def step(self) -> None:
        """Both readers to the end of their logs and one round of each applier."""
        for stream in self.streams.values():
            await stream.run()
        for one in self.appliers:
            await one.round()

    async def live(self) -> bool:
        """One step; whether the process survived it."""
        try:
            await self.step()
        except Dead:
            self.begin()
            return False
        return True

    async def settle(self, rounds: int = 40) -> None:
        """Until nothing is left to do, parked ones aside."""
        for _ in range(rounds):
            await self.live()
            self.hands.pass_by(6.0)
            if not await self.is_busy():
                await self.live()
                return
        raise AssertionError("it does not come to an end")

    async def is_busy(self) -> bool:
        for stream in (FORWARD, REVERSE):
            for domain in NAMES:
                if (await self.stage.waiting(stream, domain)).dirty:
                    return True
            found = await self.books.checkpoint(stream)
            if found is None or found.position != self._log(stream).end:
                return True
        return False

    def _log(self, stream: str) -> Log:
        return self.legacy.log if stream == FORWARD else self.core.log

    async def flip(self, domain: str) -> bool:
        """Move a domain to the other side as a coordinator does; False: it was given up."""
        from_legacy = self.legacy.log.may_write(domain)
        old, new = (self.legacy, self.core) if from_legacy else (self.core, self.legacy)
        stream = FORWARD if from_legacy else REVERSE
        term = max(self.legacy.log.fences[domain].term, self.core.log.fences[domain].term)
        old.log.fence(domain, NOBODY, term + 1)
        for _ in range(12):
            await self.live()
            self.hands.pass_by(1.0)
            if (new.applied_to.get((stream, domain), (0, 0, 0)))[1] >= term + 1:
                new.log.fence(domain, new.log.side, term + 2)
                return True
        old.log.fence(domain, old.log.side, term + 2)
        return False

    async def mapped(self) -> dict[str, dict[UUID, Doc]]:
        """What the core must have, told from the legacy's rows alone."""
        found: dict[str, dict[UUID, Doc]] = {}
        async with self.database.reading() as uow:
            for kind in self.kinds:
                docs = {}
                for rows in group(self.legacy.tables, kind.name):
                    known: dict[tuple[str, str], UUID] = {}
                    for entity_type, key in kind.translation.refers(rows):
                        refs = await uow.refs.internal(SYSTEM, entity_type, [key])
                        if key in refs:
                            known[entity_type, key] = refs[key].internal_id
                    doc = kind.translation.forward(rows, known)
                    docs[doc.id] = doc
                found[kind.name] = docs
        return found

    async def held(self) -> dict[str, dict[UUID, Doc]]:
        """What the core has."""
        return {kind.name: dict(await self.core.docs(kind.name)) for kind in self.kinds}

    async def staged(self, kind: str, *keys: int) -> Mapping[AggregateKey, object]:
        return await self.stage.rows([AggregateKey(kind, str(key)) for key in keys])


def group(tables: Mapping[str, Mapping[str, Row]], kind: str) -> list[dict[str, tuple[Row, ...]]]:
    """Aggregates of a legacy as a look at its tables gives them."""

    def rows(table: str, column: str, keys: Collection[object]) -> tuple[Row, ...]:
        found = [one for one in tables.get(table, {}).values() if one[column] in keys]
        return tuple(sorted(found, key=lambda one: int(str(one["id"]))))

    grouped = []
    for root in tables.get(f"shop_{kind}", {}).values():
        parts: dict[str, tuple[Row, ...]] = {f"shop_{kind}": (root,)}
        if kind == "customer":
            parts["shop_address"] = rows("shop_address", "customer_id", [root["id"]])
        if kind == "order":
            lines = rows("shop_line", "order_id", [root["id"]])
            parts["shop_line"] = lines
            parts["shop_option"] = rows("shop_option", "line_id", [one["id"] for one in lines])
            bill = [root["billing_id"]] if root["billing_id"] is not None else []
            parts["shop_billing"] = rows("shop_billing", "id", bill)
        grouped.append({name: some for name, some in parts.items() if some})
    return grouped


async def make_template(file: Path) -> None:
    """A core's file with all tables, to be copied for each test."""
    engine = make_engine(f"sqlite:///{file}")
    await upgrade(engine)
    await upgrade_sync(engine)
    async with engine.begin() as connection:
        await make_core_tables(connection)
    await engine.dispose()


@asynccontextmanager
async def world(template: Path, folder: Path) -> AsyncIterator[World]:
    """A world on a copy of the template."""
    made = World(_copied(template, folder))
    try:
        yield made
    finally:
        await made.database.dispose()


def _copied(template: Path, folder: Path) -> Path:
    for old in folder.glob("core.sqlite3*"):
        old.unlink()
    return Path(shutil.copy(template, folder / "core.sqlite3"))


async def _no_sleep(_seconds: float) -> None:
    raise AssertionError("nothing here should wait")
