"""One look at a handful of aggregates on both sides, and what a difference is called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shadow_compare.core.drift_class import Classed
from shadow_compare.core.drift_record import Drift, DriftSample, drift_id
from shadow_compare.core.drift_sample import Hide, samples_of
from shadow_compare.core.reconcile_digest import Digest, digest_or_none
from shadow_compare.core.reconcile_judge import (
    ABSENT,
    OtherState,
    OwnerState,
    Standing,
    judge,
)
from shadow_compare.core.reconcile_pass import Tally
from shadow_compare.ports.reconciling import ComparedSides, FoundDrift, OwnerView

Monotonic = Callable[[], float]
Wall = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found.

    Attributes:
        pairs: both states by the owner's key.
        unstaged: keys whose rows the stage does not hold as the owner does.
        waiting: keys that were read from the log and not applied.
        digests: of both documents.
    """

    standings: Mapping[str, Standing]
    pairs: Mapping[str, tuple[OwnerState, OtherState]]
    unstaged: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    digests: Mapping[str, tuple[Digest, Digest]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Looker:
    """Looks at aggregates of one domain. Shared by the workers of a pass.

    Attributes:
        now_s: of a clock that only goes forward.
        wall_s: seconds since 1970, for what is kept.
        hide: what stands in a sample for personal data.
        catch_up_s: how long a stream may take to reach a snapshot before everything unequal
            is called hot.
        poll_s: between two looks at how far it is.
    """

    sides: ComparedSides
    now_s: Monotonic
    wall_s: Wall
    hide: Hide
    catch_up_s: float = 5.0
    poll_s: float = _POLL_S
    sleep: Sleep = asyncio.sleep

    async def look(
        self, kind: str, view: OwnerView, states: Sequence[OwnerState], *, is_patient: bool = True
    ) -> Look:
        """Compare states of a view with the other side, in the order that `judge` asks for.

        Args:
            kind: of the states.
            view: that they were read from.
            states: to be compared.
            is_patient: whether to wait until the stream has reached the view. Without it what
                is equal is equal, and all else is called hot.
        """
        reached = is_patient and await self._caught_up(await view.high())
        keys = [one.key for one in states]
        # Before it is asked who waits: what is staged behind this look is seen to wait, or to
        # have been applied with a newer version.
        unstaged = await self.sides.unstaged(kind, states)
        waiting = await self.sides.waiting(kind, keys) if reached else frozenset(keys)
        others = await self.sides.other(kind, states)
        pairs = {one.key: (one, others.get(one.key, ABSENT)) for one in states}
        # Each document is hashed once: it is most of the work.
        digests = {
            key: (digest_or_none(owner.document), digest_or_none(other.document))
            for key, (owner, other) in pairs.items()
        }
        standings = {
            key: judge(
                owner,
                other,
                view.low,
                is_waiting=key in waiting,
                is_staged=key not in unstaged,
                is_same=digests[key][0] == digests[key][1],
            )
            for key, (owner, other) in pairs.items()
        }
        return Look(standings, pairs, unstaged, waiting, digests)

    async def _caught_up(self, high: int) -> bool:
        until_s = self.now_s() + self.catch_up_s
        while await self.sides.passed() < high:
            if self.now_s() >= until_s:
                return False
            await self.sleep(self.poll_s)
        return True

    async def name(self, kind: str, look: Look, keys: Collection[str]) -> Sequence[FoundDrift]:
        """Say of confirmed differences of a look what they are."""
        if not keys:
            return ()
        pairs = [look.pairs[key] for key in keys]
        clues = await self.sides.clues(kind, pairs)
        classifier = self.sides.classifier(kind)
        found = []
        for owner, other in pairs:
            known = clues[owner.key]
            if known.staged is not None:
                # As it was when the look was: the stage may have moved on since.
                known = replace(known, staged=owner.key not in look.unstaged)
            classed = classifier.classify(owner, other, known)
            if classed is not None:
                found.append(FoundDrift(self._drift(kind, owner, classed), self._samples(classed)))
        return found

    def _drift(self, kind: str, owner: OwnerState, classed: Classed) -> Drift:
        now_s = self.wall_s()
        return Drift(
            id=drift_id(self.sides.domain, kind, owner.key),
            domain=self.sides.domain,
            kind=kind,
            key=owner.key,
            core_id="" if owner.core_id is None else str(owner.core_id),
            owner=self.sides.owner,
            drift=classed.drift,
            fields=tuple(sorted({gap.pattern for gap in classed.gaps})),
            stake=classed.stake,
            note=classed.note,
            first_s=now_s,
            last_s=now_s,
            since_s=now_s,
        )

    def _samples(self, classed: Classed) -> tuple[DriftSample, ...]:
        return samples_of(classed.gaps, self.hide)


def tally_of(look: Look, *, again: bool) -> Tally:
    """What a look adds to the counts; differences are counted when they are confirmed."""
    owner = other = Digest()
    same = rows = 0
    for key, standing in look.standings.items():
        if standing is not Standing.SAME:
            continue
        ours, theirs = look.digests[key]
        same += 1
        rows += look.pairs[key][0].rows
        owner += ours
        other += theirs
    return Tally(
        checked=same,
        rows=rows,
        looked_again=len(look.standings) if again else 0,
        owner=owner,
        other=other,
    )
