"""One worker's way through a stretch of a pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shadow_compare.core.reconcile_judge import OwnerState
from shadow_compare.core.reconcile_pass import Leg, Stretch, Tally, rest_s
from shadow_compare.core.reconcile_rounds import Patience, Rounds
from shadow_compare.ports.reconciling import FoundDrift, OwnerView
from shadow_compare.service.reconciling_looks import Look, Looker, tally_of

Keep = Callable[[Stretch, Sequence[FoundDrift], Sequence[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Way:
    """How a stretch is gone through.

    Attributes:
        chunk: aggregates that are read at once.
        view_s: how long one view of the owner is kept open.
        lease_s: how long a pass that a killed process was at is waited for.
        share: of the time that is worked; the rest is rested.
    """

    patience: Patience = field(default_factory=Patience)
    chunk: int = 500
    view_s: float = 10.0
    lease_s: float = 15.0
    share: float = 1.0


@dataclass(slots=True)
class StretchWorker:
    """Goes through one stretch and keeps where it is after every chunk.

    1. A chunk is judged, 2. what was found of it is kept together with the place behind it and
    the keys that still wait for a verdict, 3. the process is killed at any moment. Whoever takes
    it up again asks those keys anew and reads on from that place: nothing is left out, and what
    is looked at twice is found twice as the same difference.
    """

    looker: Looker
    way: Way
    keep: Keep
    stretch: Stretch
    _rounds: Rounds = field(init=False)
    _at_end: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._rounds = Rounds(self.way.patience)

    async def run(self) -> Stretch:
        """Go on from where it stands, to its end."""
        if self.stretch.is_done:
            return self.stretch
        self._rounds.take_up(self.stretch.pending, self.looker.now_s())
        while not (self._at_end and not len(self._rounds)):
            began_s = self.looker.now_s()
            async with self.looker.sides.view() as view:
                await self._with(view)
            await self.looker.sleep(rest_s(self.looker.now_s() - began_s, self.way.share))
            await self._wait()
        self.stretch = replace(self.stretch, is_done=True, pending=())
        await self.keep(self.stretch, (), ())
        return self.stretch

    async def _with(self, view: OwnerView) -> None:
        """As much as one view is good for: first what is due, then what is new.

        What is due waits for the next view: a difference is only confirmed by a state of the
        owner that was read after it was seen.
        """
        due = self._rounds.due(self.looker.now_s(), self.way.chunk)
        if due:
            await self._ask_again(view, due)
        until_s = self.looker.now_s() + self.way.view_s
        while not (self._at_end or self._rounds.is_full) and self.looker.now_s() < until_s:
            await self._read_on(view)

    async def _wait(self) -> None:
        next_s = self._rounds.next_due_s()
        if next_s is not None and (self._at_end or self._rounds.is_full):
            await self.looker.sleep(max(0.0, next_s - self.looker.now_s()))

    async def _read_on(self, view: OwnerView) -> None:
        if self.stretch.leg is Leg.OTHER:
            await self._read_across(view)
        elif self.stretch.leg is Leg.CHANGED:
            await self._read_changed(view)
        else:
            states = await view.page(
                self.stretch.kind, self.stretch.after, self.way.chunk, to=self.stretch.last
            )
            if not states:
                self._at_end = True
                return
            look = await self.looker.look(self.stretch.kind, view, states)
            await self._hear(look, states[-1].key, again=False)

    async def _read_changed(self, view: OwnerView) -> None:
        kind = self.stretch.kind
        page = await self.looker.sides.changed(
            kind, self.stretch.behind, self.stretch.after, self.way.chunk
        )
        if not page:
            self._at_end = True
            return
        states = await view.some(kind, list(dict.fromkeys(key for _, key in page)))
        look = await self.looker.look(kind, view, list(states.values()))
        await self._hear(look, page[-1][0], again=False)

    async def _read_across(self, view: OwnerView) -> None:
        """Of the other side's aggregates, look at those alone that the owner seems to lack.

        1. The view was opened, 2. something was made at the owner and applied, 3. it is paged
        here and the view lacks it. Its version is newer than the view, so it is hot.
        """
        kind, sides = self.stretch.kind, self.looker.sides
        page = await sides.across(kind, self.stretch.after, self.way.chunk)
        if not page:
            self._at_end = True
            return
        keys = [key for _, key in page if key is not None]
        present = await view.present(kind, keys)
        lacking = [key for key in dict.fromkeys(keys) if key not in present]
        states = await view.some(kind, lacking) if lacking else {}
        look = await self.looker.look(kind, view, list(states.values()))
        await self._hear(look, page[-1][0], again=False)

    async def _ask_again(self, view: OwnerView, keys: Sequence[str]) -> None:
        states: Mapping[str, OwnerState] = await view.some(self.stretch.kind, keys)
        look = await self.looker.look(self.stretch.kind, view, list(states.values()))
        await self._hear(look, self.stretch.cursor, again=True)

    async def _hear(self, look: Look, cursor: str | None, *, again: bool) -> None:
        heard = self._rounds.heard(look.standings, self.looker.now_s())
        found = await self.looker.name(self.stretch.kind, look, heard.different)
        counted = Tally(
            checked=len(heard.different),
            different=len(heard.different),
            unsettled=len(heard.unsettled),
            rows=sum(look.pairs[key][0].rows for key in heard.different),
        )
        more = tally_of(look, again=again) + counted
        if self.stretch.leg is Leg.OTHER:
            # The owner's leg has counted what is there on both sides.
            more = replace(counted, looked_again=more.looked_again)
        self.stretch = replace(
            self.stretch,
            cursor=cursor,
            tally=self.stretch.tally + more,
            pending=self._rounds.keys(),
        )
        await self.keep(self.stretch, found, heard.unsettled)
