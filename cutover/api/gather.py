"""Asks every source, each within its own deadline, and keeps the last good answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cutover.api.readings import (
    DomainReading,
    Facts,
    MismatchReading,
    ProxyState,
    Reading,
    RevisionLine,
    StoreState,
    Table,
)
from cutover.errors import CutoverError
from proxy.routing import Domain, Side, Store
from shadow_compare.core.evidence import Example, MismatchGroup
from shadow_compare.core.groups import GroupQuery, GroupStory
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.ports import EvidenceReader

T = TypeVar("T")
CARD_GROUPS, CARD_POINTS = 50, 60
PAGE_GROUPS, PAGE_POINTS = 50, 240
PROBE_EVERY_S = 5.0


class SourceAway(CutoverError):
    """A source gave no usable answer.

    The message goes on where the source's name stops: "does not answer (refused)".
    """


@dataclass(frozen=True, slots=True)
class Asks:
    """How each source is asked. Every one raises SourceAway when it is away.

    Attributes:
        revisions: the ledger, newest first.
        probe: one harmless request to a store.
    """

    table: Callable[[], Awaitable[Table]]
    proxy: Callable[[], Awaitable[ProxyState]]
    probe: Callable[[Store], Awaitable[StoreState]]
    revisions: Callable[[], Awaitable[Sequence[RevisionLine]]]
    evidence: EvidenceReader


class _Source(Generic[T]):
    """One source's last good answer, and why there is no newer one."""

    def __init__(self, deadline_s: float, clock_s: Callable[[], float]) -> None:
        self._deadline_s = deadline_s
        self._clock_s = clock_s
        self.reading: Reading[T] = Reading()

    async def read(self, answer: Awaitable[T]) -> Reading[T]:
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
        evidence_deadline_s: for all that one domain shows of the evidence.
        at_once: questions to the evidence store that may be under way together.
    """

    def __init__(
        self,
        asks: Asks,
        clock_s: Callable[[], float],
        *,
        deadline_s: float = 1.5,
        evidence_deadline_s: float = 4.0,
        at_once: int = 8,
    ) -> None:
        self._asks = asks
        self._clock_s = clock_s
        self._deadline_s = deadline_s
        self._evidence_deadline_s = evidence_deadline_s
        self._at_once = asyncio.Semaphore(at_once)
        self._table: _Source[Table] = self._source()
        self._proxy: _Source[ProxyState] = self._source()
        self._stores: dict[Side, _Source[StoreState]] = {side: self._source() for side in Side}
        self._probe_again_s: dict[Side, float] = {}
        self._revisions: _Source[tuple[RevisionLine, ...]] = self._source()
        self._cards: dict[str, _Source[DomainReading]] = {}
        self._pages: dict[str, _Source[DomainReading]] = {}

    def _source(self) -> _Source[Any]:
        return _Source(self._deadline_s, self._clock_s)

    def _evidence_source(self) -> _Source[Any]:
        return _Source(self._evidence_deadline_s, self._clock_s)

    async def overview(self) -> Facts:
        """What the first page needs: every domain in brief."""
        table = await self._table.read(self._asks.table())
        domains = table.value.domains if table.value else ()
        self._cards = {d.name: self._cards.get(d.name) or self._evidence_source() for d in domains}
        return await self._facts(table, {d: self._cards[d.name] for d in domains}, brief=True)

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
        return domain, await self._facts(table, {domain: source}, brief=False)

    async def mismatch(self, fingerprint: str) -> tuple[MismatchReading, Reading[Table]] | None:
        """A mismatch group with its examples; None when there is none of that name.

        Raises:
            SourceAway: the evidence store does not answer.
        """
        table = await self._table.read(self._asks.table())
        source: _Source[Any] = self._evidence_source()
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
        source: _Source[Sequence[MismatchGroup]] = self._evidence_source()
        reading = await source.read(self._asks.evidence.find(query))
        if reading.value is None:
            raise SourceAway(f"The evidence store {reading.problem}.")
        return reading.value, table

    async def _facts(
        self, table: Reading[Table], wanted: dict[Domain, _Source[DomainReading]], *, brief: bool
    ) -> Facts:
        async with asyncio.TaskGroup() as tasks:
            proxy = tasks.create_task(self._proxy.read(self._asks.proxy()))
            revisions = tasks.create_task(self._revisions.read(self._ledger()))
            stores = {side: tasks.create_task(self._store(side, table)) for side in Side}
            away: list[str] = []
            evidence = {
                domain.name: tasks.create_task(self._evidence(domain, source, away, brief=brief))
                for domain, source in wanted.items()
            }
        return Facts(
            now_s=self._clock_s(),
            table=table,
            domains={name: task.result() for name, task in evidence.items()},
            proxy=proxy.result(),
            core=stores[Side.CORE].result(),
            legacy=stores[Side.LEGACY].result(),
            revisions=revisions.result(),
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
        self, domain: Domain, source: _Source[DomainReading], away: list[str], *, brief: bool
    ) -> Reading[DomainReading]:
        async with self._at_once:
            if away:
                # A store that let one question down is not asked 199 more in this round:
                # each would wait for its own deadline, and the page for all of them.
                return source.keep(away[0])
            reading = await source.read(self._read(domain, brief=brief))
            if reading.problem:
                away.append(reading.problem)
            return reading

    async def _read(self, domain: Domain, *, brief: bool) -> DomainReading:
        evidence = self._asks.evidence
        points, groups = (CARD_POINTS, CARD_GROUPS) if brief else (PAGE_POINTS, PAGE_GROUPS)
        return DomainReading(
            evidence=await evidence.domain(domain),
            trend=tuple(await evidence.trend(domain.name, points=points)),
            latency=tuple(await evidence.latency(domain.name)),
            groups=tuple(await evidence.groups(domain.name, limit=groups)),
        )
