"""Asks every source, each within its own deadline, and keeps the last good answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from cutover.api.chronicle import Chronicle
from cutover.api.readings import (
    CourseLine,
    Facts,
    History,
    MismatchReading,
    ProxyState,
    Reading,
    RevisionLine,
    SourceAway,
    StoreState,
    Table,
)
from cutover.core.health import Readings
from cutover.core.revision import Revision
from proxy.routing import Domain, Side, Store
from shadow_compare.core.evidence import DomainReading, Example, MismatchGroup
from shadow_compare.core.groups import GroupQuery, GroupStory
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.ports import EvidenceReader

__all__ = ["Asks", "Gatherer", "Source", "SourceAway"]

T = TypeVar("T")
CARD_GROUPS = 50
PROBE_EVERY_S = 5.0
READ_EVERY_S = 30.0
HISTORY_DEADLINE_S = 20.0


class _Most(NamedTuple):
    """How many points of a trend and how many groups of a domain are asked for."""

    points: int
    groups: int


_CARD, _PAGE = _Most(points=60, groups=CARD_GROUPS), _Most(points=240, groups=50)


async def _nothing_watched() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Asks:
    """How each source is asked. Every one raises SourceAway when it is away.

    Attributes:
        revisions: the ledger, newest first.
        probe: one harmless request to a store.
        history: the whole ledger.
        courses: what domains do by themselves.
        revision: one of the ledger, as a whole.
        watched: watched files that are not in force, and why, a sentence each.
    """

    table: Callable[[], Awaitable[Table]]
    proxy: Callable[[], Awaitable[ProxyState]]
    probe: Callable[[Store], Awaitable[StoreState]]
    revisions: Callable[[], Awaitable[Sequence[RevisionLine]]]
    evidence: EvidenceReader
    history: Callable[[], Awaitable[History]]
    courses: Callable[[], Awaitable[Mapping[str, CourseLine]]]
    revision: Callable[[int], Awaitable[Revision | None]]
    watched: Callable[[], Awaitable[tuple[str, ...]]] = _nothing_watched


class Source(Generic[T]):
    """One source's last good answer, and why there is no newer one."""

    def __init__(self, deadline_s: float, clock_s: Callable[[], float]) -> None:
        self._deadline_s = deadline_s
        self._clock_s = clock_s
        self.reading: Reading[T] = Reading()

    async def read(self, answer: Awaitable[T]) -> Reading[T]:
        """Wait for an answer within the deadline; without one the last value stays."""
        try:
            async with asyncio.timeout(self._deadline_s):
                value = await answer
        except TimeoutError:
            self.keep(f"did not answer within {self._deadline_s:g} s")
        except EvidenceUnavailable as exc:
            self.keep(f"does not answer ({exc})")
        except SourceAway as exc:
            self.keep(str(exc))
        else:
            self.reading = Reading(value, self._clock_s(), None)
        return self.reading

    def keep(self, problem: str) -> Reading[T]:
        """Keep the last value, with the reason why there is no newer one."""
        self.reading = Reading(self.reading.value, self.reading.as_of_s, problem)
        return self.reading


class Gatherer:
    """Gathers the facts that pages are made of. Belongs to one event loop.

    Args:
        clock_s: seconds since the epoch.
        deadline_s: for each question to a source.
        evidence_deadline_s: for all that one page shows of the evidence.
        order_routes: names of the routes that place orders.
    """

    def __init__(
        self,
        asks: Asks,
        clock_s: Callable[[], float],
        *,
        deadline_s: float = 1.5,
        evidence_deadline_s: float = 4.0,
        order_routes: frozenset[str] = frozenset(),
    ) -> None:
        self._asks = asks
        self._clock_s = clock_s
        self._deadline_s = deadline_s
        self._evidence_deadline_s = evidence_deadline_s
        self._table: Source[Table] = self._source()
        self._proxy: Source[ProxyState] = self._source()
        self._readings = Readings()
        self._order_routes = order_routes
        self._stores: dict[Side, Source[StoreState]] = {side: self._source() for side in Side}
        self._probe_again_s: dict[Side, float] = {}
        self._revisions: Source[tuple[RevisionLine, ...]] = self._source()
        self._history: Source[History] = Source(HISTORY_DEADLINE_S, clock_s)
        self._chronicle = Chronicle(asks.history, clock_s)
        self._courses: Source[Mapping[str, CourseLine]] = self._source()
        self._watched: Source[tuple[str, ...]] = self._source()
        self._cards: Source[Mapping[str, DomainReading]] = self._evidence_source()
        self._pages: dict[str, Source[Mapping[str, DomainReading]]] = {}

    def _source(self) -> Source[Any]:
        return Source(self._deadline_s, self._clock_s)

    def _evidence_source(self) -> Source[Any]:
        return Source(self._evidence_deadline_s, self._clock_s)

    async def overview(self) -> Facts:
        """What the first page needs: every domain in brief."""
        table = await self._table.read(self._asks.table())
        domains = table.value.domains if table.value else ()
        return await self._facts(table, self._evidence(self._cards, domains, _CARD))

    async def domain(self, name: str) -> tuple[Domain, Facts] | None:
        """What one domain's page needs; None when the table has no such domain.

        Raises:
            SourceAway: no table could be read yet, so nobody knows.
        """
        table = await self._table.read(self._asks.table())
        if table.value is None:
            raise SourceAway(f"The routing table {table.problem}.")
        domain = next((d for d in table.value.domains if d.name == name), None)
        known = {d.name for d in table.value.domains}
        self._pages = {key: page for key, page in self._pages.items() if key in known}
        if domain is None:
            return None
        source = self._pages.setdefault(name, self._evidence_source())
        return domain, await self._facts(table, self._evidence(source, (domain,), _PAGE))

    async def routing(self) -> tuple[Reading[Table], Reading[ProxyState]]:
        """The table in force, and what the proxy says of itself."""
        async with asyncio.TaskGroup() as tasks:
            table = tasks.create_task(self._table.read(self._asks.table()))
            proxy = tasks.create_task(self._read_proxy())
        return table.result(), proxy.result()

    async def keep_reading(self) -> None:
        """Read what the proxy counts though nobody watches, so that there is an hour to tell of."""
        while True:
            await self._read_proxy()
            await asyncio.sleep(READ_EVERY_S)

    async def _read_proxy(self) -> Reading[ProxyState]:
        reading = await self._proxy.read(self._asks.proxy())
        state = reading.value
        if reading.problem is None and state is not None and state.counts is not None:
            self._readings.take(self._clock_s(), state.counts)
        return reading

    async def history(self) -> Reading[History]:
        """The whole ledger."""
        return await self._history.read(self._asks.history())

    async def chronicle(self) -> Reading[History]:
        """The whole ledger, waited for only a little: without a value while it is first read."""
        return await self._chronicle.read()

    async def revision(self, n: int) -> Revision | None:
        """One revision as a whole; None when there is none of that number.

        Raises:
            SourceAway: it cannot be read.
        """
        source: Source[Revision | None] = self._source()
        reading = await source.read(self._asks.revision(n))
        if reading.problem:
            raise SourceAway(f"The ledger {reading.problem}.")
        return reading.value

    async def mismatch(self, fingerprint: str) -> tuple[MismatchReading, Reading[Table]] | None:
        """A mismatch group with its examples; None when there is none of that name.

        Raises:
            SourceAway: the evidence store does not answer.
        """
        table = await self._table.read(self._asks.table())
        source: Source[Any] = self._evidence_source()
        reading = await source.read(self._one_group(fingerprint))
        if reading.problem:
            raise SourceAway(f"The evidence store {reading.problem}.")
        if reading.value is None:
            return None
        group, examples, story = reading.value
        return MismatchReading(group, tuple(examples), story), table

    async def _one_group(
        self, fingerprint: str
    ) -> tuple[MismatchGroup, Sequence[Example], GroupStory] | None:
        found = await self._asks.evidence.group(fingerprint)
        if found is None:
            return None
        return *found, await self._asks.evidence.story(found[0].fingerprint)

    async def groups(self, query: GroupQuery) -> tuple[Sequence[MismatchGroup], Reading[Table]]:
        """The groups that a query wants.

        Raises:
            SourceAway: the evidence store does not answer.
        """
        table = await self._table.read(self._asks.table())
        source: Source[Sequence[MismatchGroup]] = self._evidence_source()
        reading = await source.read(self._asks.evidence.find(query))
        if reading.value is None:
            raise SourceAway(f"The evidence store {reading.problem}.")
        return reading.value, table

    async def _facts(
        self,
        table: Reading[Table],
        wanted: Coroutine[Any, Any, Mapping[str, Reading[DomainReading]]],
    ) -> Facts:
        async with asyncio.TaskGroup() as tasks:
            proxy = tasks.create_task(self._read_proxy())
            revisions = tasks.create_task(self._revisions.read(self._ledger()))
            courses = tasks.create_task(self._courses.read(self._asks.courses()))
            watched = tasks.create_task(self._watched.read(self._asks.watched()))
            stores = {side: tasks.create_task(self._store(side, table)) for side in Side}
            evidence = tasks.create_task(wanted)
        return Facts(
            now_s=self._clock_s(),
            table=table,
            domains=evidence.result(),
            proxy=proxy.result(),
            core=stores[Side.CORE].result(),
            legacy=stores[Side.LEGACY].result(),
            revisions=revisions.result(),
            courses=courses.result().value or {},
            health=self._readings.between(),
            order_routes=self._order_routes,
            watched=watched.result().value or (),
        )

    async def _ledger(self) -> tuple[RevisionLine, ...]:
        return tuple(await self._asks.revisions())

    async def _store(self, side: Side, table: Reading[Table]) -> Reading[StoreState]:
        store = table.value.stores.get(side) if table.value else None
        source = self._stores[side]
        if store is None:
            return Reading(problem="is not known, as no table could be read")
        if self._clock_s() < self._probe_again_s.get(side, 0.0):
            return source.reading
        reading = await source.read(self._asks.probe(store))
        self._probe_again_s[side] = self._clock_s() + PROBE_EVERY_S
        return reading

    async def _evidence(
        self, source: Source[Mapping[str, DomainReading]], domains: Sequence[Domain], most: _Most
    ) -> Mapping[str, Reading[DomainReading]]:
        """Each domain's reading. A store that is away leaves each its last one, and says why."""
        asked = self._asks.evidence.readings(domains, points=most.points, groups=most.groups)
        found = await source.read(asked)
        known = found.value or {}
        return {
            domain.name: Reading(known[domain.name], found.as_of_s, found.problem)
            if domain.name in known
            else Reading(problem=found.problem)
            for domain in domains
        }
