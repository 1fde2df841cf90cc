"""Ask a side the same twice, and see what moves by itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxy.core.frame import Frame
from proxy.routing import RoutingTable, Side
from shadow_compare.core.answer import Answer
from shadow_compare.core.calibration import Justification, justify
from shadow_compare.core.drift import BETWEEN, Drift, DriftCounter
from shadow_compare.core.epoch import rules_in_force
from shadow_compare.core.evidence import Leaf
from shadow_compare.core.judge import Exchange, Judge
from shadow_compare.core.pairs import RecordedPair
from shadow_compare.core.rules import rules_of
from shadow_compare.core.verdict import Outcome
from shadow_compare.errors import AskError
from shadow_compare.ports import Asker
from shadow_compare.service.comparer import Clock
from shadow_compare.service.proving import Tick
from shadow_compare.service.rulebook import day_of

AT_A_TIME = 16


@dataclass(frozen=True, slots=True)
class Survey:
    """What asking one side twice has shown.

    Attributes:
        asked: requests that were asked twice and answered both times.
        failed: requests without two answers to compare, by reason.
    """

    side: Side
    drifts: tuple[Drift, ...]
    asked: int
    failed: Mapping[str, int]


def requests_of(pairs: Sequence[RecordedPair], limit: int) -> tuple[Frame, ...]:
    """Recorded requests to ask again, different ones, the routes in turn."""
    distinct = {(p.frame.route, p.frame.method, p.frame.target): p.frame for p in reversed(pairs)}
    routes: dict[str, list[Frame]] = {}
    for frame in distinct.values():
        # Without the body, which may be personal, a request is another one.
        if frame.method in ("GET", "HEAD") and "[hmac:" not in frame.target:
            routes.setdefault(frame.route, []).append(frame)
    queues = [routes[name] for name in sorted(routes)]
    taken: list[Frame] = []
    while len(taken) < limit and any(queues):
        for queue in queues:
            if queue and len(taken) < limit:
                taken.append(queue.pop(0))
    return tuple(taken)


class Surveyor:
    """Asks one side each request twice. Belongs to one task.

    Args:
        judges: route to a judge without rules: what rules accept moves too.
        spacing_s: how long after the first answer the second is asked for.
    """

    def __init__(
        self, asker: Asker, clock: Clock, judges: Mapping[str, Judge], spacing_s: float
    ) -> None:
        self._asker = asker
        self._clock = clock
        self._judges = judges
        self._spacing_s = spacing_s

    async def survey(self, side: Side, frames: Sequence[Frame], tick: Tick) -> Survey:
        """Ask, and note where the side differs from itself; `tick` once for each request."""
        counters = {route: DriftCounter(side.value, route) for route in self._judges}
        failed: Counter[str] = Counter()
        for first in range(0, len(frames), AT_A_TIME):
            some = frames[first : first + AT_A_TIME]
            once = await self._ask(side, some)
            await self._clock.sleep(self._spacing_s)
            twice = await self._ask(side, some)
            for frame, one, other in zip(some, once, twice, strict=True):
                tick()
                found = self._differences(frame, one, other)
                if isinstance(found, str):
                    failed[found] += 1
                else:
                    counters[frame.route].add(found)
        drifts = tuple(drift for counter in counters.values() for drift in counter.drifts())
        asked = len(frames) - failed.total()
        return Survey(side, tuple(one for one in drifts if one.pairs), asked, dict(failed))

    async def _ask(self, side: Side, frames: Sequence[Frame]) -> list[Answer | str]:
        async def one(frame: Frame) -> Answer | str:
            try:
                return await self._asker.ask(side, frame)
            except AskError as exc:
                return exc.loss

        return list(await asyncio.gather(*map(one, frames)))

    def _differences(
        self, frame: Frame, one: Answer | str, other: Answer | str
    ) -> Sequence[Leaf] | str:
        """Where the two answers differ, or why they cannot be compared."""
        if isinstance(one, str):
            return one
        if isinstance(other, str):
            return other
        verdict = self._judges[frame.route].judge(Exchange(frame.method, one, other))
        if verdict.outcome in (Outcome.INCOMPARABLE, Outcome.BROKEN):
            return verdict.reason or verdict.outcome.value
        return verdict.leaves


def bare_judges(table: RoutingTable, domain: str) -> Mapping[str, Judge]:
    """Route to a judge of the domain's headers, without any rule."""
    found = table.domain(domain)
    said = found.compare
    judge = Judge(said.headers, (), said.cookies, said.cookie_values)
    return dict.fromkeys((route.name for route in found.routes), judge)


def apart(pairs: Sequence[RecordedPair], judges: Mapping[str, Judge]) -> tuple[Drift, ...]:
    """What stands between the sides in recorded pairs, all rules aside."""
    counters = {route: DriftCounter(BETWEEN, route) for route in judges}
    for pair in pairs:
        if pair.frame.route in judges:
            verdict = judges[pair.frame.route].judge(pair.exchange())
            if verdict.outcome not in (Outcome.INCOMPARABLE, Outcome.BROKEN):
                counters[pair.frame.route].add(verdict.leaves)
    return tuple(drift for counter in counters.values() for drift in counter.drifts())


def check(
    table: RoutingTable, domain: str, drifts: Sequence[Drift], now_s: float
) -> tuple[Justification, ...]:
    """What was seen says of each rule of a domain that is in force."""
    found = table.domain(domain)
    routes = {route.path: route.name for route in found.routes}
    return tuple(
        justify(rule, [name for path, name in routes.items() if rules_of([rule], path)], drifts)
        for rule in rules_in_force(found, day_of(now_s))
    )
