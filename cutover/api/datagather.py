"""Asks the core's database and the evidence how the data half stands, each within a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from cutover.api.gather import Gatherer, Source, SourceAway
from cutover.api.readings import ProxyState, Reading, Table
from legacy_adapters.ports.flips import FlipRecord, Noted
from legacy_adapters.storage.overlook import DomainLists, Overlook
from shadow_compare.core.drift_class import DriftClass
from shadow_compare.storage.reconcile_reading import DriftSheet, DriftStanding

T = TypeVar("T")

DRIFT_EVERY_S = 5.0
LISTED = 50
SHEET = 25
EVIDENCE_DEADLINE_S = 4.0
_KEPT_SHEETS = 64


@dataclass(frozen=True, slots=True)
class DataAsks:
    """How the sources of the data half are asked. Each raises SourceAway when it is away."""

    everything: Callable[[], Awaitable[Overlook]]
    lists: Callable[[str, int], Awaitable[DomainLists]]
    flip: Callable[[int], Awaitable[tuple[FlipRecord, Sequence[Noted]] | None]]
    standing: Callable[[], Awaitable[DriftStanding]]
    sheet: Callable[[str, DriftClass | None, int, int], Awaitable[DriftSheet]]
    flips: Callable[[datetime, int], Awaitable[Sequence[FlipRecord]]]


@dataclass(frozen=True, slots=True)
class DataFacts:
    """Everything that the data half's pages are made of, at one moment.

    Attributes:
        core: what the core's database says; `drift` what the evidence says.
        routes: routing domains that flip with a domain of data.
    """

    now_s: float
    table: Reading[Table]
    proxy: Reading[ProxyState]
    core: Reading[Overlook]
    drift: Reading[DriftStanding]
    routes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Domains of data: those that the mapping has, then whatever else is known of."""
        seen = self.core.value
        if seen is None or not seen.is_installed:
            return ()
        found = {*seen.controls, *seen.copying}
        for at in seen.checkpoints.values():
            found |= set(at.terms)
        return (*self.routes, *sorted(found - set(self.routes)))


@dataclass(frozen=True, slots=True)
class Sheet:
    """Which page of a domain's differences is wanted, from 1."""

    drift: DriftClass | None = None
    page: int = 1


@dataclass(frozen=True, slots=True)
class DomainData:
    """What one domain's page needs beside the facts."""

    sheet: Sheet
    lists: Reading[DomainLists]
    drifts: Reading[DriftSheet]


class _Seldom(Generic[T]):
    """A source that is asked every few seconds at most: the answer costs its database much."""

    def __init__(self, source: Source[T], clock_s: Callable[[], float]) -> None:
        self._source = source
        self._clock_s = clock_s
        self._again_s = 0.0

    async def read(self, ask: Callable[[], Awaitable[T]]) -> Reading[T]:
        if self._clock_s() < self._again_s:
            return self._source.reading
        reading = await self._source.read(ask())
        self._again_s = self._clock_s() + DRIFT_EVERY_S
        return reading


class DataGatherer:
    """Gathers what the data half's pages show. Belongs to one event loop.

    Args:
        asks: how.
        room: knows the table in force and the proxy.
        routes: of each domain of data.
        deadline_s: for each question to the core's database.
    """

    def __init__(
        self,
        asks: DataAsks,
        room: Gatherer,
        routes: Mapping[str, tuple[str, ...]],
        clock_s: Callable[[], float],
        *,
        deadline_s: float = 2.0,
    ) -> None:
        self._asks = asks
        self._room = room
        self._routes = routes
        self._clock_s = clock_s
        self._deadline_s = deadline_s
        self._core: Source[Overlook] = Source(deadline_s, clock_s)
        self._drift: _Seldom[DriftStanding] = _Seldom(Source(EVIDENCE_DEADLINE_S, clock_s), clock_s)
        self._lists: dict[str, Source[DomainLists]] = {}
        self._sheets: dict[tuple[str, Sheet], _Seldom[DriftSheet]] = {}

    async def facts(self) -> DataFacts:
        """How all domains stand."""
        async with asyncio.TaskGroup() as tasks:
            routing = tasks.create_task(self._room.routing())
            core = tasks.create_task(self._core.read(self._asks.everything()))
            drift = tasks.create_task(self._drift.read(self._asks.standing))
        table, proxy = routing.result()
        return DataFacts(self._clock_s(), table, proxy, core.result(), drift.result(), self._routes)

    async def domain(self, name: str, sheet: Sheet) -> tuple[DataFacts, DomainData] | None:
        """How one domain stands; None when there is none of that name.

        Raises:
            SourceAway: the core's database never answered, so nobody knows.
        """
        facts = await self.facts()
        if facts.core.value is None:
            raise SourceAway(f"The core's database {facts.core.problem}.")
        if name not in facts.names:
            return None
        lists = self._lists.setdefault(name, Source(self._deadline_s, self._clock_s))
        wanted = (sheet.drift, SHEET * (sheet.page - 1), SHEET)
        async with asyncio.TaskGroup() as tasks:
            listed = tasks.create_task(lists.read(self._asks.lists(name, LISTED + 1)))
            drifts = tasks.create_task(
                self._sheet(name, sheet).read(lambda: self._asks.sheet(name, *wanted))
            )
        return facts, DomainData(sheet, listed.result(), drifts.result())

    async def flip(self, name: str, number: int) -> tuple[FlipRecord, Sequence[Noted]] | None:
        """A flip of a domain with its journal; None when there is none.

        Raises:
            SourceAway: the core's database does not answer.
        """
        source: Source[tuple[FlipRecord, Sequence[Noted]] | None]
        source = Source(self._deadline_s, self._clock_s)
        reading = await source.read(self._asks.flip(number))
        if reading.problem is not None:
            raise SourceAway(f"The core's database {reading.problem}.")
        found = reading.value
        return found if found is not None and found[0].start.domain == name else None

    async def flips(self, since: datetime, limit: int) -> Reading[Sequence[FlipRecord]]:
        """Flips of every domain that began then or later, newest first."""
        source: Source[Sequence[FlipRecord]] = Source(self._deadline_s, self._clock_s)
        return await source.read(self._asks.flips(since, limit))

    def _sheet(self, name: str, sheet: Sheet) -> _Seldom[DriftSheet]:
        key = name, sheet
        kept = self._sheets.pop(key, None) or _Seldom(
            Source(EVIDENCE_DEADLINE_S, self._clock_s), self._clock_s
        )
        self._sheets[key] = kept
        while len(self._sheets) > _KEPT_SHEETS:
            del self._sheets[next(iter(self._sheets))]
        return kept
