"""Sees how things stand with a domain. What does not answer becomes Unknown, with the reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from cutover.core.flip_gates import Drift, Facts, Freeze, Router, Stream, Unknown
from cutover.ports import ProxyDoor
from cutover.service.flipping_house import OURS, House
from legacy_adapters.mapping.aggregates import SyncDomain
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.backfilling import BackfillBooks
from legacy_adapters.ports.capture import ChangeSource
from legacy_adapters.ports.flips import Control
from legacy_adapters.ports.stage import Stage

T = TypeVar("T")

_TRIED = ("committed", "rehearsed")
_MANY = 1_000

DriftOf = Callable[[str, Side], Awaitable[Drift]]


@dataclass(frozen=True, slots=True)
class Observer:
    """Gathers facts.

    Attributes:
        drift: what the comparison says of a domain while a side owns it; None: not asked.
        sources: both databases' logs, where this process may ask them.
        oldest: age of the oldest open transaction of a side's database.
        now: aware; ages that it tells open no gate by themselves: canaries that stand still
            also stop the catch-up.
    """

    house: House
    stage: Stage
    backfills: BackfillBooks
    door: ProxyDoor
    oldest: Mapping[Side, Callable[[], Awaitable[float]]]
    now: Callable[[], datetime]
    drift: DriftOf | None = None
    sources: Mapping[Side, ChangeSource] | None = None

    async def facts(self, domain: SyncDomain, row: Control, routes: Sequence[str]) -> Facts:
        """Everything that gates are judged by, for the way to the side that does not own."""
        owner, target = row.owner, row.owner.other
        return Facts(
            domain=domain.name,
            target=target,
            budget_ms=self.house.limits.budget_s * 1_000,
            gates=await _asked(self._gates(row)),
            backfilled=await _asked(self._backfilled(domain.name)),
            there=await _asked(self._stream(stream_from(owner), domain.name)),
            back=await _asked(self._stream(stream_from(target), domain.name)),
            rogues=await _asked(self._rogues(domain.name)),
            drift=await _asked(self._drift(domain.name, owner)),
            numbers=await _asked(self._numbers(domain.name, target)),
            transaction_s=await _asked(self.oldest[owner]()),
            log=await _asked(self._log(owner)),
            schema=await _asked(self._schema()),
            router=await _asked(self._router(domain, routes)),
            rehearsed=await _asked(self._rehearsed(domain.name, owner)),
        )

    async def _gates(self, row: Control) -> tuple[str, str]:
        fence = (await self.house.fences[row.owner].rows()).get(row.domain)
        seen = "nothing" if fence is None else f"{fence.owner} {fence.term}"
        return seen, f"{row.owner} {row.term}"

    async def _backfilled(self, domain: str) -> bool:
        run = await self.backfills.run(domain)
        return run is not None and run.finished_at is not None

    async def _stream(self, stream: str, domain: str) -> Stream:
        at, waiting = await self.stage.checkpoint(stream), await self.stage.waiting(stream, domain)
        if at is None:
            return Stream("it never ran", None, None, waiting.dirty, waiting.parked)
        age_s = None if at.lag_ms is None else (self.now() - at.moved_at).total_seconds()
        return Stream(at.problem, at.lag_ms, age_s, waiting.dirty, waiting.parked)

    async def _rogues(self, domain: str) -> int:
        return sum(one.domain == domain for one in await self.stage.rogues(_MANY))

    async def _drift(self, domain: str, owner: Side) -> Drift | Unknown:
        if self.drift is None:
            return Unknown("both sides were never compared; banyan reconcile does it")
        return await self.drift(domain, owner)

    async def _numbers(self, domain: str, target: Side) -> tuple[str, ...]:
        return tuple(await self.house.numbers.ensure(domain, target))

    async def _log(self, owner: Side) -> str | Unknown:
        if self.sources is None:
            return Unknown("this process may not ask the database's log")
        kept = await self.sources[owner].retention()
        return "" if kept.state == "ok" else f"what is not read yet: {kept.state}"

    async def _schema(self) -> tuple[str, ...] | Unknown:
        if self.sources is None:
            return Unknown("this process may not ask for the tables' definitions")
        found: list[str] = []
        for source in self.sources.values():
            seen = await source.fingerprints()
            found += [f"{table.name} is gone" for table in source.tables if table.name not in seen]
        return tuple(found)

    async def _router(self, domain: SyncDomain, routes: Sequence[str]) -> Router:
        state = self.door.state()
        problem = state.problem or ("" if state.ready else "not every worker serves")
        if len(set(state.revisions.values())) > 1:
            problem = "its workers follow different tables"
        missing = () if routes else domain.routes
        return Router(problem, tuple(routes), tuple(missing))

    async def _rehearsed(self, domain: str, owner: Side) -> Freeze | None:
        for record in await self.house.books.flips(domain, limit=100):
            is_same_way = record.start.source is owner and record.outcome in _TRIED
            if is_same_way and record.freeze_ms is not None and record.ended_at is not None:
                age_s = (self.now() - record.ended_at).total_seconds()
                return Freeze(record.freeze_ms, age_s)
        return None


async def _asked(question: Awaitable[Any]) -> Any:
    try:
        return await question
    except OURS as exc:
        return Unknown(str(exc) or type(exc).__name__)


def plain(facts: Facts) -> dict[str, Any]:
    """For a journal."""
    told: dict[str, Any] = {}
    for name in facts.__slots__:
        value = getattr(facts, name)
        told[name] = f"not known: {value.why}" if isinstance(value, Unknown) else _plain(value)
    return told


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple):
        return [_plain(one) for one in cast("tuple[object, ...]", value)]
    slots = getattr(value, "__slots__", None)
    if slots and not isinstance(value, str):
        return {name: _plain(getattr(value, name)) for name in slots}
    return str(value)
