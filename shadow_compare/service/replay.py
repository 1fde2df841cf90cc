"""Ask both sides again what was stored, and judge by today's rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from proxy.core.frame import Frame
from proxy.routing import Side
from shadow_compare.core.fingerprint import fingerprint, title
from shadow_compare.core.judge import Exchange
from shadow_compare.core.replay import End, Recorded, Replayed, due_s, lanes
from shadow_compare.core.verdict import Outcome
from shadow_compare.errors import AskError
from shadow_compare.ports import Asker
from shadow_compare.service.comparer import Clock
from shadow_compare.service.rulebook import Plan, Rulebook

AT_ONCE = 8


class Replayer:
    """Replays requests; each shopper's one after the other, shoppers side by side.

    Args:
        asker: sends them, marked as shadow traffic.
        speed: how much faster than they came; None as fast as can be.
        on_end: told of each as it ends.
    """

    def __init__(
        self,
        rulebook: Rulebook,
        asker: Asker,
        clock: Clock,
        *,
        speed: float | None,
        on_end: Callable[[Replayed], None],
    ) -> None:
        self._rulebook = rulebook
        self._asker = asker
        self._clock = clock
        self._speed = speed
        self._on_end = on_end
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def replay(self, recorded: Sequence[Recorded]) -> tuple[Replayed, ...]:
        """Ask everything once. Returns what came of it, in the order given; stores nothing."""
        ends: dict[str, Replayed] = {}
        first_us = min((one.frame.at_us for one in recorded), default=0)
        began_s = self._clock.tick_s()

        async def walk(lane: Sequence[Recorded]) -> None:
            for one in lane:
                wait_s = began_s + due_s(one.frame, first_us, self._speed) - self._clock.tick_s()
                if wait_s > 0:
                    await self._clock.sleep(wait_s)
                async with self._turns:
                    end = await self._end_of(one)
                ends[one.frame.request_id] = end
                self._on_end(end)

        async with asyncio.TaskGroup() as group:
            for lane in lanes(recorded):
                group.create_task(walk(lane))
        return tuple(ends[one.frame.request_id] for one in recorded)

    async def _end_of(self, one: Recorded) -> Replayed:
        if one.problem is not None:
            return Replayed(one, End.UNASKED, one.problem)
        plan = self._rulebook.find(one.frame)
        if isinstance(plan, str):
            return Replayed(one, End.UNASKED, f"its {plan.partition('_')[0]} left the table")
        try:
            exchange = await self._ask(one.frame)
        except AskError as exc:
            return Replayed(one, End.UNASKED, str(exc))
        return await asyncio.to_thread(_judged, one, plan, exchange)

    async def _ask(self, frame: Frame) -> Exchange:
        legacy, core = await asyncio.gather(
            self._asker.ask(Side.LEGACY, frame),
            self._asker.ask(Side.CORE, frame),
            return_exceptions=True,
        )
        for answer in (legacy, core):
            if isinstance(answer, BaseException):
                raise answer
        assert not isinstance(legacy, BaseException)  # noqa: S101 - for the type checker
        assert not isinstance(core, BaseException)  # noqa: S101
        return Exchange(frame.method, legacy, core, Side(frame.side))


def _judged(one: Recorded, plan: Plan, exchange: Exchange) -> Replayed:
    verdict = plan.judge.judge(exchange)
    match verdict.outcome:
        case Outcome.MATCH:
            return Replayed(one, End.EQUAL)
        case Outcome.ACCEPTED:
            return Replayed(one, End.ACCEPTED)
        case Outcome.INCOMPARABLE | Outcome.BROKEN:
            return Replayed(one, End.UNREAD, verdict.reason or "")
        case Outcome.MISMATCH:
            statuses = (exchange.legacy.status, exchange.core.status)
            name = fingerprint(one.frame.domain, one.frame.route, verdict.leaves, statuses)
            end = End.SAME if name == one.fingerprint else End.OTHER
            return Replayed(one, end, title(verdict.leaves), name)
