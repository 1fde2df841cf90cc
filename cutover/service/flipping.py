"""Takes a domain from one side to the other, step by step, by the protocol's table."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cutover.core.flip import Ending, Event, Kind, Step, aborted, committed, next_step, resume
from cutover.service.flipping_house import OURS, House, LeaseLost, Moment, Order, StepFailed, Tell
from cutover.service.flipping_steps import Steps, Told
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.flips import (
    Control,
    FlipRecord,
    FlipStart,
    Lease,
    Line,
    Mark,
    Over,
    Phase,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for. A rehearsal's target is the side that does not own.

    Attributes:
        holder: names this process, differently from every other one that ever was.
    """

    domain: str
    kind: Kind
    target: Side
    routes: tuple[str, ...]
    holder: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was seen before a flip.

    Attributes:
        facts: plain values for the journal.
        reds: what stands against it, a sentence each.
    """

    facts: Mapping[str, Any]
    reds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """What a flip came to.

    Attributes:
        flip: its number; 0 where there was none.
        problem: why it did not commit; "" when it did.
    """

    flip: int
    ending: Ending
    freeze_ms: float | None = None
    problem: str = ""


Look = Callable[[Control], Awaitable[Preflight]]


async def flip(house: House, wish: Wish, look: Look, tell: Tell) -> Done:
    """Look at every gate, take the lease, and go through with it.

    Raises:
        StoreUnavailable: the core's database does not answer; nothing happened.
    """
    seen = await house.books.control(wish.domain)
    if seen is None:
        return Done(0, Ending.NOTHING, problem=f"{wish.domain} has no owner yet")
    if seen.phase is not Phase.OWNED:
        problem = f"flip {seen.flip} of {wish.domain} is not over; banyan flip --resume ends it"
        return Done(seen.flip, Ending.NOTHING, problem=problem)
    if seen.owner is wish.target:
        return Done(0, Ending.NOTHING, problem=f"{seen.owner} owns {wish.domain} already")
    order = Order(
        wish.domain, wish.kind, seen.owner, seen.term, wish.routes, wish.actor, wish.reason
    )
    began_s = house.pace.now_s()
    found = await look(seen)
    lease = Lease(wish.domain, await house.books.begin(_start(order, found), ()), wish.holder)
    async with AsyncExitStack() as drafts:
        run = _Run(house, order, lease, tell, Steps(house, order, drafts), began_s)
        return await run.begin(seen, found)


async def finish(
    house: House, domain: str, holder: str, routes: tuple[str, ...], tell: Tell
) -> Done:
    """Take over a flip whose coordinator died, and end it: by its table, or taken back.

    Waits for as long as a living coordinator would show that it lives. Does nothing for a
    domain at rest, or for a flip that somebody works on.
    """
    seen = await house.books.control(domain)
    if seen is None or seen.phase is Phase.OWNED:
        return Done(0, Ending.NOTHING)
    if not await _stands_still(house, seen):
        return Done(seen.flip, Ending.LOST, problem=f"{seen.holder} works on it")
    lease = Lease(domain, seen.flip, holder)
    if not await house.books.take_over(lease, seen):
        return Done(seen.flip, Ending.LOST, problem="another coordinator was quicker")
    order = _order(await _record(house, domain, seen.flip), routes)
    async with AsyncExitStack() as drafts:
        run = _Run(house, order, lease, tell, Steps(house, order, drafts), house.pace.now_s())
        run.problem = f"{seen.holder or 'its coordinator'} died in phase {seen.phase}"
        return await run.go(Ending.LOOK)


async def _stands_still(house: House, seen: Control) -> bool:
    """Whether the row's holder shows nothing for the time of a lease."""
    pace, lease_s = house.pace, house.limits.lease_s
    until_s = pace.now_s() + lease_s
    while pace.now_s() < until_s:
        await pace.sleep(lease_s / 10)
        if await house.books.control(seen.domain) != seen:
            return False
    return True


async def _record(house: House, domain: str, flip: int) -> FlipRecord:
    for record in await house.books.flips(domain, limit=100):
        if record.id == flip:
            return record
    raise StepFailed(f"flip {flip} of {domain} is in no book")


def _start(order: Order, found: Preflight) -> FlipStart:
    return FlipStart(
        domain=order.domain,
        kind=order.kind.value,
        source=order.source,
        target=order.target,
        term=order.term,
        actor=order.actor,
        reason=order.reason,
        facts=found.facts,
    )


def _order(record: FlipRecord, routes: tuple[str, ...]) -> Order:
    start = record.start
    return Order(
        start.domain, Kind(start.kind), start.source, start.term, routes, start.actor, start.reason
    )


@dataclass(slots=True)
class _Run:
    """One coordinator at work on one flip.

    Attributes:
        owed: what is written into the journal with its next change.
        intended: the step whose intent was written last.
        problem: the first thing that went wrong.
    """

    house: House
    order: Order
    lease: Lease
    tell: Tell
    steps: Steps
    began_s: float
    owed: list[Line] = field(default_factory=list)
    intended: Step | None = None
    problem: str = ""
    is_lost: bool = False

    async def begin(self, seen: Control, found: Preflight) -> Done:
        """Preflight and lease, which need none yet."""
        self.owed = [Line(Step.PREFLIGHT, Mark.INTENT), Line(Step.PREFLIGHT, Mark.DONE)]
        if found.reds:
            self.problem = "; ".join(found.reds)
            return await self._nothing()
        if self.order.kind is Kind.FLIP:
            await self.steps.prepare()
        await self.steps.ready()
        self._say(Step.LEASE, Mark.INTENT, None, {})
        began_s = self.house.pace.now_s()
        lines = [*self.owed, Line(Step.LEASE, Mark.INTENT), Line(Step.LEASE, Mark.DONE)]
        event = Event.DONE
        try:
            if not await self.house.books.lease(self.lease, seen, lines):
                self.problem, event = "another coordinator was quicker", Event.LOST
        except OURS as exc:
            self.problem, event = str(exc), Event.FAILED
        self.owed = []
        self._came_to(Step.LEASE, event, began_s, {})
        following = next_step(self.order.kind, Step.LEASE, event)
        if following is Ending.NOTHING:
            return await self._nothing()
        return await self.go(following)

    async def go(self, step: Step | Ending) -> Done:
        """Walk the table from a step to its end, and show all the while that we live."""
        async with self._alive():
            while True:
                if step is Ending.LOOK:
                    step = await self._look()
                if isinstance(step, Ending) or step is Step.WATCH:
                    break
                following = next_step(self.order.kind, step, await self._do(step))
                if following is step:
                    await self.house.pace.sleep(self.house.limits.retry_s)
                step = following
        ending = Ending.COMMITTED if step is Step.WATCH else Ending(step)
        return Done(self.lease.flip, ending, self.steps.freeze_ms, self.problem)

    async def _do(self, step: Step) -> Event:
        """Write down what is intended, do it, and owe the journal what came of it."""
        began_s = self.house.pace.now_s()
        try:
            await self._intend(step)
            self._say(step, Mark.INTENT, None, {})
            told = await self._act(step)
        except LeaseLost as exc:
            return self._came_to(step, Event.LOST, began_s, {"problem": str(exc)})
        except OURS as exc:
            self.problem = self.problem or f"{step}: {exc}"
            return self._came_to(step, Event.FAILED, began_s, {"problem": str(exc)})
        return self._came_to(step, Event.DONE, began_s, told)

    async def _intend(self, step: Step) -> None:
        # What is tried for ever is written down once, or a journal fills the disk.
        lines = [*self.owed, *([] if self.intended is step else [Line(step, Mark.INTENT)])]
        if self.is_lost or not await self.house.books.note(self.lease, lines):
            raise LeaseLost("the lease is another coordinator's")
        self.owed, self.intended = [], step

    async def _act(self, step: Step) -> Told:
        if step in (Step.COMMIT, Step.ABORT):
            return await self._decide(step)
        if step in (Step.GRANT, Step.REOPEN):
            return await self.steps.grant(*self._granted(step))
        if step in (Step.RELEASE, Step.LET_GO):
            release = step is Step.RELEASE
            told = await (self.steps.release() if release else self.steps.let_go())
            line = Line(step, Mark.DONE, told)
            if not await self.house.books.close(self.lease, [line], self._over(release)):
                raise LeaseLost("somebody else has closed it")
            return told
        return await self.steps.before_commit[step]()

    async def _decide(self, step: Step) -> Told:
        """The one change of the one row that decides, by whoever comes first."""
        make = committed if step is Step.COMMIT else aborted
        verdict = make(self.order.source, self.order.term)
        facts = {"problem": self.problem} if step is Step.ABORT else {}
        lines = [Line(step, Mark.DONE, facts)]
        if not await self.house.books.decide(self.lease, verdict, lines):
            raise LeaseLost("it is decided already, or another coordinator's")
        return {"owner": verdict.owner.value, "term": verdict.term}

    def _granted(self, step: Step) -> tuple[Side, int]:
        make = committed if step is Step.GRANT else aborted
        verdict = make(self.order.source, self.order.term)
        return verdict.owner, verdict.term

    async def _look(self) -> Step | Ending:
        """What the control row says, asked until it answers."""
        while True:
            try:
                row = await self.house.books.control(self.lease.domain)
            except OURS:
                await self.house.pace.sleep(self.house.limits.retry_s)
                continue
            if row is None or row.flip != self.lease.flip:
                return Ending.LOST
            ending = resume(row, self.lease.holder)
            return Ending.LOST if ending is Ending.NOTHING else ending

    def _came_to(self, step: Step, event: Event, began_s: float, told: Told) -> Event:
        mark = Mark.DONE if event is Event.DONE else Mark.FAILED
        line = Line(step, mark, told)
        # The decision and the end write their own done; a repeated failure is written once.
        is_written = event is Event.DONE and step in _WRITTEN
        if not is_written and line not in self.owed:
            self.owed.append(line)
        self._say(step, mark, (self.house.pace.now_s() - began_s) * 1_000, told)
        return event

    def _say(self, step: Step, mark: Mark, took_ms: float | None, told: Told) -> None:
        at_ms = (self.house.pace.now_s() - self.began_s) * 1_000
        self.tell(Moment(step, mark, at_ms, took_ms, told))

    async def _nothing(self) -> Done:
        await self.house.books.end(self.lease.flip, Over("nothing", problem=self.problem))
        return Done(self.lease.flip, Ending.NOTHING, problem=self.problem)

    def _over(self, is_committed: bool) -> Over:
        if is_committed:
            return Over("committed", self.steps.freeze_ms)
        is_rehearsed = self.order.kind is Kind.REHEARSAL and not self.problem
        outcome = "rehearsed" if is_rehearsed else "aborted"
        return Over(outcome, self.steps.freeze_ms, self.problem)

    @asynccontextmanager
    async def _alive(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(self._beat(), name="lease")
            try:
                yield
            finally:
                beating.cancel()

    async def _beat(self) -> None:
        while True:
            await self.house.pace.sleep(self.house.limits.lease_s / 4)
            with contextlib.suppress(*OURS):
                if not await self.house.books.keep(self.lease):
                    row = await self.house.books.control(self.lease.domain)
                    # At rest it is nobody's; that is how a flip of ours ends.
                    self.is_lost = row is not None and row.holder not in ("", self.lease.holder)


_WRITTEN = frozenset((Step.LEASE, Step.COMMIT, Step.ABORT, Step.RELEASE, Step.LET_GO))
