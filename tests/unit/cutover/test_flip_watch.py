"""A watch after a flip: each bound breaks alone, and blindness is one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cutover.core.flip_watch import Seen, breaches
from cutover.errors import DoorClosed
from cutover.service.flipping_house import Pace
from cutover.service.watching import Watched, watch

_CALM = Seen(answers=1_000, errors=10, rogues=1, parked=0, lag_ms=80, drift=0)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"answers": 1_100, "errors": 13}, "3 of 100 answers"),
        ({"rogues": 2}, "does not own"),
        ({"parked": 1}, "taken across"),
        ({"problem": "column x is gone"}, "stands: column x"),
        ({"lag_ms": 30_001}, "30 s behind"),
        ({"drift": 2}, "2 differences"),
    ],
)
def test_each_bound_breaks_alone(change: dict[str, Any], told: str) -> None:
    (found,) = breaches(_CALM, replace(_CALM, **change))

    assert told in found


@pytest.mark.parametrize(
    "change",
    [
        {"answers": 1_049, "errors": 59},
        {"answers": 1_100, "errors": 12},
        {"lag_ms": None},
        {"lag_ms": 30_000},
        {"drift": None},
        {"rogues": 0},
    ],
)
def test_what_is_within_its_bound_is_no_breach(change: dict[str, Any]) -> None:
    assert breaches(_CALM, replace(_CALM, **change)) == ()


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def _watched(looks: Iterator[Seen | Exception], for_s: float = 10) -> Watched:
    clock = _Clock()

    async def look() -> Seen:
        found = next(looks)
        if isinstance(found, Exception):
            raise found
        return found

    return await watch(look, _CALM, Pace(lambda: clock.now, clock.sleep), for_s=for_s)


async def test_a_quiet_watch_ends_with_its_time() -> None:
    found = await _watched(iter([replace(_CALM, answers=1_060, errors=11)] * 20))

    assert (found.for_s, found.looks, found.answers, found.errors) == (10, 10, 60, 1)
    assert found.broken == ()


async def test_a_watch_ends_with_the_first_breach() -> None:
    found = await _watched(iter([_CALM, replace(_CALM, parked=4)]))

    assert (found.looks, len(found.broken)) == (2, 1)


async def test_a_look_without_answer_is_no_breach_and_half_a_minute_of_them_is() -> None:
    away = DoorClosed("away", is_refused=False)

    short = await _watched(iter([away] * 5 + [_CALM] * 10))
    long = await _watched(iter([away] * 100), for_s=60)

    assert short.broken == ()
    assert "nothing was to be seen" in long.broken[0]
