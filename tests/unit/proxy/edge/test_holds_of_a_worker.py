"""Writes that wait in a worker, with a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import cast

import pytest

from proxy.core.hold import HoldEnd, HoldLimits
from proxy.edge.hold import Holds

LIMITS = HoldLimits(requests=2, waiting_bytes=100, longest_s=30.0)


class Timer:
    def __init__(self, at: float, run: Callable[[], None]) -> None:
        self.at, self.run, self.is_cancelled = at, run, False

    def cancel(self) -> None:
        self.is_cancelled = True


class Clock:
    """Time and timers by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []

    def later(self, after_s: float, run: Callable[[], None]) -> asyncio.TimerHandle:
        self.timers.append(Timer(self.now + after_s, run))
        return cast("asyncio.TimerHandle", self.timers[-1])

    def to(self, now: float) -> None:
        self.now = now
        for timer in [timer for timer in self.timers if timer.at <= now]:
            self.timers.remove(timer)
            if not timer.is_cancelled:
                timer.run()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counted() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def holds(clock: Clock, counted: list[tuple[str, str]]) -> Holds:
    return Holds(LIMITS, lambda: clock.now, clock.later, lambda *what: counted.append(what))


def test_nobody_waits_where_nothing_is_held(holds: Holds) -> None:
    ends: list[HoldEnd] = []
    assert holds.join("cart", ends.append) is None

    holds.hold("checkout", 105.0)

    assert holds.join("cart", ends.append) is None
    assert holds.is_active
    assert ends == []


def test_all_go_on_in_their_order_when_the_hold_is_released(holds: Holds) -> None:
    gone: list[tuple[int, HoldEnd]] = []

    def note(n: int, end: HoldEnd) -> None:
        gone.append((n, end))

    holds.hold("cart", 105.0)
    for n in range(2):
        assert holds.join("cart", partial(note, n))

    assert gone == []
    assert holds.release("cart")
    assert gone == [(0, HoldEnd.RELEASED), (1, HoldEnd.RELEASED)]
    assert not holds.is_active
    assert not holds.release("cart")


def test_a_hold_that_nobody_releases_ends_by_itself(holds: Holds, clock: Clock) -> None:
    ends: list[HoldEnd] = []
    holds.hold("cart", 105.0)
    holds.join("cart", ends.append)

    clock.to(104.9)
    assert ends == []
    clock.to(105.0)

    assert ends == [HoldEnd.EXPIRED]
    assert not holds.is_active


def test_no_hold_is_longer_than_the_longest(holds: Holds, clock: Clock) -> None:
    holds.hold("cart", 1_000.0)

    assert holds.until() == {"cart": 130.0}
    clock.to(130.0)
    assert not holds.is_active


def test_a_hold_that_is_asked_for_again_lasts_as_asked_last(holds: Holds, clock: Clock) -> None:
    ends: list[HoldEnd] = []
    holds.hold("cart", 105.0)
    holds.join("cart", ends.append)
    clock.to(104.0)
    holds.hold("cart", 110.0)

    clock.to(109.0)
    assert ends == []
    clock.to(110.0)
    assert ends == [HoldEnd.EXPIRED]


def test_a_late_timer_does_not_end_the_next_hold(holds: Holds, clock: Clock) -> None:
    holds.hold("cart", 105.0)
    late = clock.timers[0]
    holds.release("cart")
    holds.hold("cart", 120.0)
    clock.now = 105.0

    late.run()

    assert holds.is_active


def test_too_many_and_too_large_are_told_at_once(holds: Holds, counted: list[object]) -> None:
    ends: list[HoldEnd] = []
    holds.hold("cart", 105.0)
    holds.join("cart", ends.append, 60)

    large = holds.join("cart", ends.append, 60)
    holds.join("cart", ends.append, 40)
    many = holds.join("cart", ends.append, 0)

    assert large is not None
    assert large.is_over
    assert many is not None
    assert many.is_over
    assert ends == [HoldEnd.OVERFLOW, HoldEnd.OVERFLOW]
    assert counted == [
        ("cart", "held"),
        ("cart", "overflow"),
        ("cart", "held"),
        ("cart", "overflow"),
    ]
    assert holds.waiting()["cart"].requests == 2


def test_who_leaves_makes_room_and_hears_nothing_more(holds: Holds) -> None:
    ends: list[HoldEnd] = []
    holds.hold("cart", 105.0)
    place = holds.join("cart", ends.append, 100)
    assert place is not None

    place.leave()
    place.leave()

    assert holds.waiting()["cart"].requests == 0
    assert holds.join("cart", ends.append, 100) is not None
    holds.release("cart")
    assert ends == [HoldEnd.RELEASED]
    place.leave()


def test_one_that_leaves_while_others_go_on_is_not_called(holds: Holds) -> None:
    ends: list[str] = []
    holds.hold("cart", 105.0)
    holds.join("cart", lambda _: second.leave() if second else None)
    second = holds.join("cart", lambda _: ends.append("second"))

    holds.release("cart")

    assert ends == []


def test_one_that_fails_does_not_keep_the_others(holds: Holds) -> None:
    ends: list[HoldEnd] = []

    def fail(_: HoldEnd) -> None:
        raise RuntimeError("a defect")

    holds.hold("cart", 105.0)
    holds.join("cart", fail)
    holds.join("cart", ends.append)

    holds.release("cart")

    assert ends == [HoldEnd.RELEASED]


def test_who_goes_on_does_not_meet_the_same_hold_again(holds: Holds) -> None:
    met: list[object] = []
    holds.hold("cart", 105.0)
    holds.join("cart", lambda _: met.append(holds.join("cart", lambda _: None)))

    holds.release("cart")

    assert met == [None]
