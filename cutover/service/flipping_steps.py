"""What each step of a flip does. Each may be done twice, and by another process."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from cutover.core.flip import Step, fence_term
from cutover.errors import DoorClosed, Refused
from cutover.ports.flips import Draft, HoldSeen
from cutover.service.flipping_house import OURS, House, LeaseLost, Order, StepFailed
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.versions import Side

Told = Mapping[str, Any]
_RAREST = 8
"""So many times the shortest pause between two looks."""


class Steps:
    """The effects of one flip. Holds what they need from each other, and the stop watch."""

    def __init__(self, house: House, order: Order, drafts: AsyncExitStack) -> None:
        """Take the ports, the order, and where a draft is kept until the end."""
        self._house = house
        self._order = order
        self._drafts = drafts
        self._draft: Draft | None = None
        self._held_at_s: float | None = None
        self.freeze_ms: float | None = None

    @property
    def before_commit(self) -> Mapping[Step, Callable[[], Awaitable[Told]]]:
        """What is done while all can still be taken back."""
        return {
            Step.HOLD: self.hold,
            Step.FENCE: self.fence,
            Step.CATCH_UP: self.catch_up,
            Step.VERIFY: self.verify,
            Step.NUMBERS: self.numbers,
        }

    async def prepare(self) -> None:
        """Write the new table beside the old one, before anybody waits."""
        order = self._order
        draft = self._house.routers.draft(
            order.routes, order.target, actor=order.actor, reason=order.reason
        )
        self._draft = await self._drafts.enter_async_context(draft)

    async def ready(self) -> None:
        """Compare ahead, and open what is first used while shoppers wait, before anybody does."""
        order, house = self._order, self._house
        # A first connection costs as much as several steps do.
        with contextlib.suppress(*OURS):
            for side in (order.source, order.target):
                await house.fences[side].rows()
            await house.applied[order.target].applied()
            await house.numbers.ensure(order.domain, order.target)
        await house.verifier.ready(order.domain, order.source)

    async def hold(self) -> Told:
        """Let writes wait, and see those off that are on their way."""
        routers, order = self._house.routers, self._order
        self._held_at_s = self._house.pace.now_s()
        seen: HoldSeen | None = await routers.hold(order.routes, for_s=self._house.limits.budget_s)
        looks = 0
        while seen is not None and seen.in_flight > 0:
            problem = f"{seen.in_flight} writes that were sent on before do not end"
            await self._wait(problem, looks)
            looks += 1
            seen = await routers.holding(order.routes)
        if seen is None:
            raise StepFailed("the hold ended before its writes were counted")
        return {"routes": list(order.routes), "waiting": seen.waiting, "looks": looks}

    async def fence(self) -> Told:
        """Close the owner's gate; it waits for open transactions, and marks the log."""
        order = self._order
        found = await self._house.fences[order.source].close_gate(
            order.domain, term=order.term, wait_s=max(0.001, self._left_s())
        )
        if not found.changed:
            raise StepFailed(f"the fence of {order.source} is {found.row}, not of {order.term}")
        return {"term": fence_term(order.term), "waited_ms": round(found.waited_s * 1_000, 1)}

    async def catch_up(self) -> Told:
        """Wait until the applier says that all before the fence is across."""
        order, wanted, looks = self._order, fence_term(self._order.term), 0
        store = self._house.applied[order.target]
        place = (stream_from(order.source), order.domain)
        while True:
            term, barrier, position = (await store.applied()).get(place, (0, 0, 0))
            if barrier >= wanted:
                return {"barrier": barrier, "position": position}
            problem = f"{order.target} has not got everything: {place[0]} is at {term}"
            await self._wait(problem, looks)
            looks += 1

    async def verify(self) -> Told:
        """Compare what was touched, exactly, while nobody writes."""
        order = self._order
        found = await self._house.verifier.verify(
            order.domain, order.source, within_s=self._left_s()
        )
        if found.problems:
            raise StepFailed("; ".join(found.problems))
        return {"compared": found.compared}

    async def numbers(self) -> Told:
        """Move the counters of the side to come past every key in use."""
        order = self._order
        problems = await self._house.numbers.ensure(order.domain, order.target)
        if problems:
            raise StepFailed("; ".join(problems))
        # 1. the hold's time is up, 2. writes go to the old owner and are refused, 3. we commit:
        # nothing is lost, but shoppers saw errors. So there must be time for what follows.
        left_s = self._left_s()
        if left_s <= 0:
            raise StepFailed("the time that writes may wait is all but over")
        return {"left_ms": round(left_s * 1_000)}

    async def grant(self, owner: Side, term: int) -> Told:
        """Open a gate. A gate of a newer term is left alone.

        Raises:
            LeaseLost: somebody has gone on to a newer term.
        """
        domain = self._order.domain
        wait_s = self._house.limits.budget_s
        found = await self._house.fences[owner].open_gate(domain, owner, term=term, wait_s=wait_s)
        row = found.row
        if row is None:
            raise StepFailed(f"{owner} has no fence for {domain}; banyan sync install makes it")
        if row.term > term:
            raise LeaseLost(f"{owner} is at term {row.term} already")
        if (row.owner, row.term) != (owner.value, term):
            raise StepFailed(f"the gate of {owner} stays at term {row.term} of {row.owner}")
        return {"owner": owner.value, "term": term}

    async def release(self) -> Told:
        """Put the new table in force everywhere, then let writes go on."""
        if self._draft is None:
            await self.prepare()
        assert self._draft is not None  # noqa: S101 - prepare has just made it
        revision = await self._draft.put_in_force()
        told = await self._let_go(revision)
        notes = self._draft.write_down()
        return {"revision": revision, **told, **({"notes": list(notes)} if notes else {})}

    async def let_go(self) -> Told:
        """Let writes go on where they went before."""
        return await self._let_go(None)

    async def _let_go(self, revision: str | None) -> Told:
        """Release, or know that nothing is held any more."""
        routers, routes = self._house.routers, self._order.routes
        told: dict[str, Any] = {}
        try:
            if revision is not None:
                await routers.take(revision)
            told["was_held"] = await routers.release(routes)
        except (DoorClosed, Refused) as exc:
            # 1. The proxy is gone, 2. with it all holds, and its next start reads the table.
            # A hold that we cannot end ends by itself; who did not begin it knows no better.
            is_gone = isinstance(exc, DoorClosed) and exc.is_refused
            if not is_gone and self._held_for_s() < self._house.limits.budget_s:
                raise
            told["proxy"] = str(exc)
        if self._held_at_s is not None and self.freeze_ms is None:
            # A hold that was over before we came ended by itself, at the end of its time.
            waited_s = self._held_for_s()
            if not told.get("was_held"):
                waited_s = min(waited_s, self._house.limits.budget_s)
            self.freeze_ms = waited_s * 1_000
            told["freeze_ms"] = round(self.freeze_ms, 1)
        return told

    def _held_for_s(self) -> float:
        """How long writes wait by now; a process that took over cannot know, and waited."""
        if self._held_at_s is None:
            return self._house.limits.budget_s
        return self._house.pace.now_s() - self._held_at_s

    def _left_s(self) -> float:
        limits = self._house.limits
        return limits.budget_s - limits.spare_s - self._held_for_s()

    async def _wait(self, problem: str, looks: int) -> None:
        """Before the next look. The longer it takes, the less often: each look takes a part of
        the processor from what is waited for.
        """
        limits = self._house.limits
        if self._left_s() <= 0:
            raise StepFailed(f"{problem} in {limits.budget_s:g} s")
        await self._house.pace.sleep(limits.poll_s * min(1 + looks, _RAREST))
