"""Take what differs across anew, from the owner, through the applier, and look again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from shadow_compare.core.drift_plan import Allowed, RepairPlan, plan_repair
from shadow_compare.core.drift_record import Drift, DriftState
from shadow_compare.core.pace import Pace
from shadow_compare.core.reconcile_judge import Standing
from shadow_compare.errors import RepairRefused
from shadow_compare.ports.reconciling import ReconcileBooks, RepairRecord
from shadow_compare.service.reconciling_looks import Looker

_LOT = 100
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class RepairWish:
    """What somebody wants repaired.

    Attributes:
        id: of the repair, as no other one has.
        ids: only these differences; None for all open ones of the domain.
        per_s: aggregates a second.
        settle_s: how long the applier may take for a lot.
    """

    id: str
    said_by: str
    allowed: Allowed
    ids: frozenset[str] | None = None
    per_s: float = 200.0
    settle_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Repaired:
    """What came of a repair.

    Attributes:
        left: ids of those that still differ, or could not be told.
    """

    plan: RepairPlan
    repaired: int
    left: tuple[str, ...]


class Repairer:
    """Repairs one domain. Only the owner's state is ever taken across, never the other way."""

    def __init__(
        self, looker: Looker, books: ReconcileBooks, told: Callable[[int], None] = lambda _: None
    ) -> None:
        """Args: told: hears how many aggregates were dealt with since it last heard."""
        self._looker = looker
        self._books = books
        self._told = told

    async def plan(self, wish: RepairWish) -> RepairPlan:
        """What would be done, and what stands against it. Changes nothing."""
        sides = self._looker.sides
        found = await self._books.drifts(sides.domain)
        if wish.ids is not None:
            found = [one for one in found if one.id in wish.ids]
        async with sides.view() as view:
            aggregates = sum([await view.count(kind) for kind in sides.kinds])
        return plan_repair(sides.domain, found, aggregates, wish.allowed, sides.owner)

    async def apply(self, wish: RepairWish) -> Repaired:
        """Carry a plan out that nothing stands against, and note who did what.

        The line of the repair is written before anything is touched: a repair that was killed
        has no end there, and what it had touched is only the owner's own state taken across.

        Raises:
            RepairRefused: something stands against it; the message says what.
            SidesUnavailable, EvidenceUnavailable: ended early; do it again.
        """
        plan = await self.plan(wish)
        if plan.obstacles:
            raise RepairRefused("; ".join(plan.obstacles))
        if not plan.repairs:
            return Repaired(plan, 0, ())
        record = self._record(wish, plan)
        await self._books.note_repair(record)
        mended, left = await self._carry_out(wish, plan)
        now_s = self._looker.wall_s()
        await self._books.note_repair(replace(record, repaired=mended, ended_s=now_s))
        return Repaired(plan, mended, tuple(left))

    def _record(self, wish: RepairWish, plan: RepairPlan) -> RepairRecord:
        return RepairRecord(
            id=wish.id,
            domain=plan.domain,
            owner=self._looker.sides.owner,
            said_by=wish.said_by,
            cause=wish.allowed.cause,
            keys=len(plan.repairs),
            stake=plan.stake,
            repaired=0,
            started_s=self._looker.wall_s(),
            ended_s=None,
        )

    async def _carry_out(self, wish: RepairWish, plan: RepairPlan) -> tuple[int, list[str]]:
        pace, mended, left = Pace(wish.per_s), 0, list[str]()
        by_kind: dict[str, list[Drift]] = defaultdict(list)
        for one in plan.repairs:
            by_kind[one.kind].append(one)
        # What others point at goes first, so that it is there when they come.
        for kind in self._looker.sides.kinds:
            some = by_kind.get(kind, [])
            for at in range(0, len(some), _LOT):
                lot = some[at : at + _LOT]
                wait_s = max(pace.wait_s(self._looker.now_s()) for _ in lot)
                await self._looker.sleep(wait_s)
                same = await self._repair(kind, [one.key for one in lot], wish)
                done = [one.id for one in lot if one.key in same]
                left += [one.id for one in lot if one.key not in same]
                mended += len(done)
                await self._books.move(done, DriftState.REPAIRED, wish.said_by, wish.id)
                self._told(len(lot))
        return mended, left

    async def _repair(self, kind: str, keys: Sequence[str], wish: RepairWish) -> frozenset[str]:
        """Touch a lot, wait until it is applied, and look at the same keys again."""
        sides = self._looker.sides
        reason = f"repair {wish.id}" + (f": {wish.allowed.cause}" if wish.allowed.cause else "")
        await sides.take_across(kind, keys, reason)
        until_s = self._looker.now_s() + wish.settle_s
        while await sides.waiting(kind, keys) and self._looker.now_s() < until_s:
            await self._looker.sleep(_POLL_S)
        return await self._same(kind, keys, until_s)

    async def _same(self, kind: str, keys: Sequence[str], until_s: float) -> frozenset[str]:
        same: set[str] = set()
        while True:
            asked = [key for key in keys if key not in same]
            async with self._looker.sides.view() as view:
                states = list((await view.some(kind, asked)).values())
                look = await self._looker.look(kind, view, states)
            same |= {key for key, one in look.standings.items() if one is Standing.SAME}
            is_settled = all(one is not Standing.HOT for one in look.standings.values())
            if is_settled or self._looker.now_s() >= until_s:
                return frozenset(same)
            await self._looker.sleep(_POLL_S)
