"""When a heartbeat counts as across: what was written before it is, not all that ever comes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

import pytest

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.dirtying import Beat
from legacy_adapters.mapping.landing import Dirty, Step
from legacy_adapters.mapping.trying import Trouble
from legacy_adapters.mapping.versions import Position, Version
from legacy_adapters.ports.streams import Books, Failed
from legacy_adapters.service.applying import BATCH, Applying
from legacy_adapters.service.streaming_course import Course

STREAM, DOMAIN = "core>legacy", "orders"
AT = datetime(2026, 1, 1, tzinfo=UTC)


def order(number: int) -> Dirty:
    return Dirty(AggregateKey("order", str(number)), Version(1, number), "", 1, 0)


class Busy:
    """Books and target of a shop that places an order whenever one is carried."""

    def __init__(self, waiting: int) -> None:
        self.waiting = [order(number) for number in range(1, waiting + 1)]
        self.beats: list[datetime] = []
        self._next = waiting + 1

    async def dirty(self, stream: str, domain: str, limit: int, now: datetime) -> Sequence[Dirty]:
        return self.waiting[:limit]

    async def carry(self, batch: Sequence[Dirty], term: int) -> Sequence[Trouble]:
        self.waiting = [one for one in self.waiting if one not in batch]
        self.waiting.append(order(self._next))
        self._next += 1
        return []

    async def beaten(self, stream: str, sent_at: datetime, lag_ms: float) -> None:
        self.beats.append(sent_at)

    async def failed(
        self, stream: str, domain: str, some: Sequence[Failed], now: datetime
    ) -> None: ...

    async def rouse(self, *_args: object, **_more: object) -> int:
        return 0

    async def barrier(self, term: int, order: int) -> None:
        raise AssertionError(term)

    async def reached(self) -> int:
        return 0


def at_work(shop: Busy, beat_at: int) -> Applying:
    course = Course(STREAM, [DOMAIN])
    step = Step(STREAM, None, Position(beat_at, ""), {DOMAIN: ("core", 1)}, None)
    course.moved(step, Beat(sent_us=1_000_000, order=beat_at))
    return Applying(DOMAIN, course, cast("Books", shop), shop, {}, lambda: AT)


async def test_a_beat_is_across_once_what_was_before_it_is_however_much_follows() -> None:
    shop = Busy(waiting=3)
    applying = at_work(shop, beat_at=3)

    assert await applying.round()

    assert shop.waiting
    assert len(shop.beats) == 1


@pytest.mark.parametrize("waiting", [BATCH, BATCH + 1])
async def test_a_beat_is_not_across_while_what_was_before_it_may_not_have_been_read(
    waiting: int,
) -> None:
    shop = Busy(waiting)
    applying = at_work(shop, beat_at=waiting)

    assert await applying.round()

    assert shop.beats == []
