"""A pass over a domain: begun or taken up, gone through by several workers, and closed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

from shadow_compare.core.reconcile_pass import Leg, PassKind, PassRecord, Stretch, Tally
from shadow_compare.errors import NoCleanPass, PassBusy, SidesUnavailable
from shadow_compare.ports.reconciling import FoundDrift, OwnerView, ReconcileBooks
from shadow_compare.service.reconciling_looks import Looker
from shadow_compare.service.reconciling_stretch import StretchWorker, Way

_TRIES = 6
_RETRY_S = 0.5
_BEAT_S = 3.0


class PassProgress(Protocol):
    """Somebody who watches a pass."""

    def begin(self, record: PassRecord) -> None:
        """It begins, or goes on with what its tally says."""
        ...

    def moved(self, tally: Tally) -> None:
        """So much was found until now."""
        ...


@dataclass(frozen=True, slots=True)
class PassWish:
    """What somebody wants to have compared.

    Attributes:
        id: of the pass, if none is taken up.
        holder: this process, as no other one is called.
        workers: stretches that are gone through at a time.
    """

    id: str
    kind: PassKind
    holder: str
    workers: int = 1


class Reconciler:
    """Runs passes over one domain."""

    def __init__(
        self, looker: Looker, books: ReconcileBooks, way: Way, progress: PassProgress
    ) -> None:
        self._looker = looker
        self._books = books
        self._way = way
        self._progress = progress

    async def run(self, wish: PassWish) -> PassRecord:
        """Run a pass to its end, or go on with the one that was killed.

        Raises:
            PassBusy: another process is at it.
            NoCleanPass: a hot pass has nothing to begin from.
            SidesUnavailable, EvidenceUnavailable: a database is away; the pass can go on.
        """
        record = await self._begin(wish)
        stretches = await self._books.stretches(record.id)
        run = _Run(self._looker, self._books, self._way, self._progress, record)
        run.known = {one.number: one.tally for one in stretches}
        self._progress.begin(replace(record, tally=run.tally))
        try:
            await run.through(stretches, wish.workers)
            record = await self._books.end(replace(record, tally=run.tally))
        except PassBusy:
            raise
        except (SidesUnavailable, asyncio.CancelledError) as exc:
            await self._books.give_up(record, str(exc) or "ended from outside")
            raise
        return record

    async def _begin(self, wish: PassWish) -> PassRecord:
        """Begin, after a while if somebody was at it a moment ago and may have been killed."""
        until_s = self._looker.now_s() + self._way.lease_s
        wanted = await self._wanted(wish)
        while True:
            try:
                return await self._books.begin(*wanted)
            except PassBusy:
                if self._looker.now_s() >= until_s:
                    raise
            await self._looker.sleep(_RETRY_S)

    async def _wanted(self, wish: PassWish) -> tuple[PassRecord, Sequence[Stretch]]:
        sides = self._looker.sides
        through = await sides.through()
        async with sides.view() as view:
            if wish.kind is PassKind.HOT:
                stretches, expected = await self._changed(), 0
            else:
                stretches = await self._whole(view, wish.workers)
                expected = sum([await view.count(kind) for kind in sides.kinds])
            low = view.low
        if wish.kind is PassKind.HOT:
            # 1. A change up to `low` is read, 2. what was applied is listed without it, 3. it is
            # applied: no pass behind `low` would ever list it.
            low = min(low, through)
        record = PassRecord(
            id=wish.id,
            kind=wish.kind,
            domain=sides.domain,
            owner=sides.owner,
            from_order=low,
            started_s=self._looker.wall_s(),
            ended_s=None,
            expected=expected,
            tally=Tally(),
            is_clean=False,
            holder=wish.holder,
        )
        return record, stretches

    async def _whole(self, view: OwnerView, parts: int) -> Sequence[Stretch]:
        found: list[Stretch] = []
        for kind in self._looker.sides.kinds:
            cuts = list(await view.splits(kind, parts)) if parts > 1 else []
            ends: list[str | None] = [None, *cuts, None]
            for first, last in pairwise(ends):
                found.append(Stretch(len(found), kind, Leg.OWNER, first, last))
            found.append(Stretch(len(found), kind, Leg.OTHER))
        return found

    async def _changed(self) -> Sequence[Stretch]:
        """What was applied since the last clean pass began, and what that could not tell."""
        sides = self._looker.sides
        last = await self._books.last(sides.domain, sides.owner, clean=True)
        if last is None:
            raise NoCleanPass(f"{sides.domain} has no clean pass yet; run a full one first")
        left = await self._books.unsettled(last.id)
        return [
            Stretch(
                number=number,
                kind=kind,
                leg=Leg.CHANGED,
                behind=last.from_order,
                pending=tuple(key for of, key in left if of == kind),
            )
            for number, kind in enumerate(sides.kinds)
        ]


class _Run:
    """A pass while this process is at it."""

    def __init__(
        self,
        looker: Looker,
        books: ReconcileBooks,
        way: Way,
        progress: PassProgress,
        record: PassRecord,
    ) -> None:
        self._looker = looker
        self._books = books
        self._way = way
        self._progress = progress
        self._record = record
        self.known: dict[int, Tally] = {}

    @property
    def tally(self) -> Tally:
        """Of all stretches."""
        return sum(self.known.values(), Tally())

    async def through(self, stretches: Sequence[Stretch], workers: int) -> None:
        todo = [one for one in stretches if not one.is_done]
        # The other side's leg comes after the owner's: what it finds is what that left.
        todo.sort(key=lambda one: one.leg is Leg.OTHER)
        todo.reverse()
        try:
            async with asyncio.TaskGroup() as group:
                beating = group.create_task(self._beat(), name="reconcile-beat")
                async with asyncio.TaskGroup() as working:
                    for number in range(min(workers, len(todo))):
                        working.create_task(self._work(todo), name=f"reconcile-{number}")
                beating.cancel()
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            await self._books.beat(self._record)

    async def _work(self, todo: list[Stretch]) -> None:
        while todo:
            await self._go_through(todo.pop())

    async def _go_through(self, stretch: Stretch) -> None:
        """Go through a stretch; when a store is away, go on from what was kept last."""
        for retry_s in (*(_RETRY_S * 2**n for n in range(_TRIES)), None):
            worker = StretchWorker(self._looker, self._way, self._keep, stretch)
            try:
                await worker.run()
            except SidesUnavailable:
                if retry_s is None:
                    raise
                stretch = worker.stretch
                await self._looker.sleep(retry_s)
            else:
                return

    async def _keep(
        self, stretch: Stretch, found: Sequence[FoundDrift], unsettled: Sequence[str]
    ) -> None:
        await self._books.keep(self._record, stretch, found, unsettled)
        self.known[stretch.number] = stretch.tally
        self._progress.moved(self.tally)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The gravest of what workers ended with: one was the cause, the others were told to end."""
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return _first(error)
        return error
    return errors
