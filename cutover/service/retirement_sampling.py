"""Sees, again and again, whether anybody still uses the legacy slice of what the core owns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cutover.core.retirement import Case, Sample
from legacy_adapters.errors import AdapterError
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.flips import Control, Phase
from legacy_adapters.storage.overlook import Overlook, SqlOverlook
from legacy_adapters.storage.retirement import SampleRow, SqlRetirement

Answered = tuple[Mapping[tuple[str, str], int], int]
"""(routing domain, side) to answers, and those of requests that no route matched."""

SLACK_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Sampler:
    """What is looked at.

    Attributes:
        answered: what the proxy counts; None where it does not answer.
        reads, writes: of the legacy's database; see `storage.retirement_reads`.
        routes, tables: of each domain of data.
    """

    overlook: SqlOverlook
    kept: SqlRetirement
    answered: Callable[[], Awaitable[Answered | None]]
    reads: Callable[[Collection[str]], Awaitable[tuple[Mapping[str, int] | None, str]]]
    writes: Callable[[str], Awaitable[int | None]]
    routes: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, tuple[str, ...]]
    now: Callable[[], datetime]

    async def sample(self) -> int:
        """Look once at every domain that the core owns. Returns at how many.

        Raises:
            StoreUnavailable: the core's database does not answer.
        """
        seen = await self.overlook.everything()
        owned = [one for one in seen.controls.values() if one.owner is Side.CORE]
        if not owned:
            return 0
        answered = await self.answered()
        await self.kept.add([await self._row(one, seen, answered) for one in owned])
        return len(owned)

    async def case(self, domain: str, days: float) -> Case:
        """All that a domain is judged by."""
        now = self.now()
        since = datetime.fromtimestamp(now.timestamp() - days * 86_400 - SLACK_S, UTC)
        control = (await self.overlook.everything()).controls.get(domain)
        owned = await self.kept.owned_since(domain)
        return Case(
            domain=domain,
            days=days,
            now_s=now.timestamp(),
            owner=control.owner.value if control is not None else Side.LEGACY.value,
            is_quiet=control is None or control.phase is Phase.OWNED,
            owned_since_s=None if owned is None else owned.timestamp(),
            samples=[_sample(row) for row in await self.kept.samples(domain, since)],
            rogues=await self.kept.rogues(domain, since),
        )

    async def _row(self, control: Control, seen: Overlook, answered: Answered | None) -> SampleRow:
        name = control.domain
        at = seen.checkpoints.get(stream_from(Side.LEGACY))
        requests: int | None = None
        if answered is not None:
            requests = sum(
                answered[0].get((route, Side.LEGACY.value), 0)
                for route in self.routes.get(name, ())
            )
        reads, unread = await self._reads(name)
        return SampleRow(
            domain=name,
            at=self.now(),
            owner=control.owner.value,
            term=control.term,
            legacy_requests=requests,
            unmatched=None if answered is None else answered[1],
            position=None if at is None else at.position.order,
            problem="" if at is None else at.problem,
            beat_at=None if at is None else at.beat_at,
            reads=reads,
            unread=unread,
            writes=await self._writes(name),
        )

    async def _reads(self, name: str) -> tuple[Mapping[str, int] | None, str]:
        try:
            return await self.reads(self.tables.get(name, ()))
        except AdapterError as exc:
            return None, f"the legacy's database does not answer: {exc}"

    async def _writes(self, name: str) -> int | None:
        try:
            return await self.writes(name)
        except AdapterError:
            return None


def _sample(row: SampleRow) -> Sample:
    return Sample(
        at_s=row.at.timestamp(),
        owner=row.owner,
        term=row.term,
        legacy_requests=row.legacy_requests,
        unmatched=row.unmatched,
        position=row.position,
        problem=row.problem,
        beat_s=None if row.beat_at is None else row.beat_at.timestamp(),
        reads=row.reads,
        unread=row.unread,
        writes=row.writes,
    )
