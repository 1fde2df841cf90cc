"""The exact compare of a flip: what changed since the last clean pass, while nobody writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace

from legacy_adapters.mapping.versions import Side
from shadow_compare.core.reconcile_judge import Standing
from shadow_compare.errors import CompareError
from shadow_compare.ports.reconciling import ComparedSides, OwnerView, ReconcileBooks
from shadow_compare.service.reconciling_looks import Look, Looker

_CHUNK = 500
_MOST_TOLD = 20
_ROUNDS = 4
_FEW = 25
"""Aggregates of which a round is not worth another one ahead of it."""

_FROZEN_POLL_S = 0.003
_AHEAD_S = 20.0

Totals = Callable[[str, Side], Awaitable[Sequence[str]]]
"""Sentences on business totals of a domain that differ."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of the compare.

    Attributes:
        compared: aggregates.
        problems: a sentence for each thing that differs, or that kept it from its end.
        elapsed_s: how long it took.
    """

    compared: int
    problems: tuple[str, ...]
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class _Residue:
    """What is still to be compared: newer versions than `behind`, and these kinds and keys."""

    behind: int
    left: tuple[tuple[str, str], ...]


class _OutOfTime(CompareError):
    """The budget is used up."""


class HotVerifier:
    """Compares on frozen data: both gates are closed, and everything is applied.

    Nothing is hot then; what is, or waits, is a problem of its own. Only what a version was
    applied to since the last clean pass can differ, together with what that pass could not tell
    and what is already known to differ. Most of that is compared ahead, while writes go on:
    what is the same then, and has no newer version later, is the same.
    """

    def __init__(
        self,
        looker_of: Callable[[str, Side], Looker],
        books: ReconcileBooks,
        totals: Totals | None = None,
    ) -> None:
        """Args: looker_of: for a domain and its owner. totals: sums to compare as well."""
        self._looker_of = looker_of
        self._books = books
        self._totals = totals
        self._ahead: dict[tuple[str, Side], _Residue] = {}

    async def ready(self, domain: str, owner: Side) -> None:
        """Compare ahead what could differ, again and again until little is new.

        A round that fails is none; the frozen compare has more to do then, and says why.
        """
        looker = self._looker_of(domain, owner)
        self._ahead.pop((domain, owner), None)
        try:
            residue = await self._since_last_pass(domain, owner)
            if residue is None:
                return
            work = _Work(looker, looker.now_s() + _AHEAD_S)
            for _ in range(_ROUNDS):
                before = work.compared
                residue = await work.ahead(residue)
                self._ahead[(domain, owner)] = residue
                if work.compared - before <= _FEW:
                    return
        except CompareError:
            return

    async def verify(self, domain: str, owner: Side, *, within_s: float) -> Verified:
        """Compare what could differ; what is not done within the time is a problem."""
        looker = replace(self._looker_of(domain, owner), poll_s=_FROZEN_POLL_S)
        began_s = looker.now_s()
        work = _Work(looker, began_s + within_s)
        try:
            # Good for one compare: whoever comes again knows nothing of what went between.
            residue = self._ahead.pop((domain, owner), None)
            residue = residue or await self._since_last_pass(domain, owner)
            if residue is None:
                work.problems.append(f"{domain} has no clean pass while {owner} owns it")
            else:
                await work.through(residue)
            if self._totals is not None:
                work.problems += await self._totals(domain, owner)
        except _OutOfTime:
            work.problems.append(f"not done within {within_s:g} s")
        except CompareError as exc:
            work.problems.append(str(exc))
        return Verified(work.compared, tuple(work.problems), looker.now_s() - began_s)

    async def _since_last_pass(self, domain: str, owner: Side) -> _Residue | None:
        last = await self._books.last(domain, owner, clean=True)
        if last is None:
            return None
        return _Residue(last.from_order, tuple(await self._books.unsettled(last.id)))


class _Work:
    """One compare, and what it found until now."""

    def __init__(self, looker: Looker, until_s: float) -> None:
        self._looker = looker
        self._until_s = until_s
        self.compared = 0
        self.problems: list[str] = []

    @property
    def _sides(self) -> ComparedSides:
        return self._looker.sides

    async def through(self, residue: _Residue) -> None:
        """Compare all of it; whatever is not the same is a problem."""

        async def tell(kind: str, look: Look, unlike: Sequence[str]) -> None:
            named = await self._looker.name(kind, look, unlike)
            self._tell(kind, {one.drift.key: one.drift.drift for one in named}, look.waiting)

        await self._every(residue, tell)

    async def ahead(self, residue: _Residue) -> _Residue:
        """Compare all of it, and give what that leaves.

        1. A change is applied behind `behind`, 2. what was applied is listed, 3. an older one
        is applied, of which no list behind 2 would tell. So the next list begins where nothing
        older was left to apply before this one was made.
        """
        behind = await self._sides.through()
        left: list[tuple[str, str]] = []

        async def keep(kind: str, _look: Look, unlike: Sequence[str]) -> None:
            left.extend((kind, key) for key in unlike)

        await self._every(residue, keep)
        return _Residue(behind, tuple(left))

    async def _every(
        self, residue: _Residue, hear: Callable[[str, Look, Sequence[str]], Awaitable[None]]
    ) -> None:
        async with self._sides.view() as view:
            # 1. The gates are closed, 2. a shopper looks at a page, 3. the store writes that
            # down in their session. It is no difference, and it never stops.
            for kind in (one for one in self._sides.kinds if one not in self._sides.restless):
                left = [key for of, key in residue.left if of == kind]
                await self._look(view, kind, left, hear)
                after: str | None = None
                while page := await self._sides.changed(kind, residue.behind, after, _CHUNK):
                    after = page[-1][0]
                    await self._look(view, kind, [key for _, key in page], hear)

    async def _look(
        self,
        view: OwnerView,
        kind: str,
        keys: Sequence[str],
        hear: Callable[[str, Look, Sequence[str]], Awaitable[None]],
    ) -> None:
        for at in range(0, len(keys), _CHUNK):
            if self._looker.now_s() >= self._until_s:
                raise _OutOfTime
            lot = list(dict.fromkeys(keys[at : at + _CHUNK]))
            states = (await view.some(kind, lot)).values()
            self.compared += len(lot)
            # What is equal needs no wait: a stream is a moment behind whatever else is written.
            look = await self._looker.look(kind, view, list(states), is_patient=False)
            if unlike := _unlike(look):
                again = [one for one in states if one.key in unlike]
                look = await self._looker.look(kind, view, again)
                await hear(kind, look, _unlike(look))

    def _tell(self, kind: str, named: dict[str, object], waiting: Collection[str]) -> None:
        for key, what in named.items():
            if len(self.problems) >= _MOST_TOLD:
                return
            why = "waits to be applied" if key in waiting else what
            self.problems.append(f"{kind} {key}: {why}")


def _unlike(look: Look) -> list[str]:
    return [key for key, found in look.standings.items() if found is not Standing.SAME]
