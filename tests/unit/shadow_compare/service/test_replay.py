"""Asking both sides again what was stored."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.frame import Frame
from proxy.routing import RoutingTable, Side
from proxy.storage.tables import parse_routing
from shadow_compare.core.answer import Answer
from shadow_compare.core.groups import Kept
from shadow_compare.core.replay import (
    End,
    Recorded,
    Replayed,
    due_s,
    exit_code,
    from_example,
    lanes,
    once_each,
    summary,
)
from shadow_compare.errors import AskError
from shadow_compare.service.replay import AT_ONCE, Replayer
from shadow_compare.service.rulebook import Rulebook
from tests.support.comparing import LIST, NOW_S, example, frame

TABLE = b"""\
apiVersion: banyan/v1
stores: {legacy: {url: "http://127.0.0.1:1"}, core: {url: "http://127.0.0.1:2"}}
domains:
  catalog:
    owner: merchandising
    stage: shadow
    routes: [{path: "/products/", methods: [GET]}]
    compare: {rules: [{path: "$.seen", accept: any, owner: a, reason: b, expires: 2099-01-01}]}
"""


class StoppedClock:
    """Sleeping moves it on."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.slept: list[float] = []

    def now_s(self) -> float:
        return NOW_S

    def tick_s(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> Awaitable[None]:
        self.slept.append(seconds)
        self.at_s += seconds
        return asyncio.sleep(0)


class BothSides:
    """Answers by side, and remembers the order of its questions."""

    def __init__(self, bodies: dict[Side, Callable[[Frame], bytes]]) -> None:
        self.bodies = bodies
        self.asked: list[tuple[Side, str]] = []
        self.under_way = self.most = 0

    async def ask(self, side: Side, frame: Frame, *, dry_run: bool = False) -> Answer:
        assert not dry_run
        self.asked.append((side, frame.request_id))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            for _ in range(3):
                await asyncio.sleep(0)
            body = self.bodies[side](frame)
        finally:
            self.under_way -= 1
        return Answer(200, (("Content-Type", "application/json"),), body, 0)


def table() -> RoutingTable:
    return parse_routing(TABLE, "routing.yaml")


def stored(
    seq: int, *, shopper: str | None = None, at_s: float = NOW_S, name: str = ""
) -> Recorded:
    one = dataclasses.replace(example(f"r-{seq}"), target="/products/", shopper=shopper, at_s=at_s)
    return from_example(Kept(name, "catalog", LIST, one))


async def run(
    sides: BothSides,
    *recorded: Recorded,
    speed: float | None = None,
    clock: StoppedClock | None = None,
) -> tuple[Replayed, ...]:
    told: list[Replayed] = []
    replayer = Replayer(
        Rulebook(table(), NOW_S), sides, clock or StoppedClock(), speed=speed, on_end=told.append
    )
    found = await replayer.replay(recorded)
    assert sorted(one.recorded.frame.request_id for one in told) == sorted(
        one.frame.request_id for one in recorded
    )
    return found


def saying(legacy: bytes, core: bytes) -> BothSides:
    return BothSides({Side.LEGACY: lambda _: legacy, Side.CORE: lambda _: core})


async def test_each_request_ends_as_todays_rules_say() -> None:
    equal = await run(saying(b'{"a":1}', b'{"a":1}'), stored(1))
    accepted = await run(saying(b'{"seen":1}', b'{"seen":2}'), stored(1))
    unread = await run(saying(b'{"a":1}', b'{"a":'), stored(1))
    other = await run(saying(b'{"a":1}', b'{"a":2}'), stored(1, name="v1:00000000000000aa"))
    same = await run(saying(b'{"a":1}', b'{"a":2}'), stored(1, name=other[0].fingerprint))

    ends = [found[0].end for found in (equal, accepted, unread, other, same)]
    assert ends == [End.EQUAL, End.ACCEPTED, End.UNREAD, End.OTHER, End.SAME]
    assert other[0].told.startswith("$.a differs")


async def test_what_must_not_or_cannot_be_asked_is_said_and_not_sent() -> None:
    sides = saying(b"{}", b"{}")
    post = dataclasses.replace(example("r-1"), method="POST")
    gone = dataclasses.replace(example("r-2"), method="GET")

    found = await run(
        sides,
        from_example(Kept("", "catalog", LIST, post)),
        from_example(Kept("", "carts", "GET /carts/", gone)),
    )

    assert sides.asked == []
    assert [one.end for one in found] == [End.UNASKED, End.UNASKED]
    assert "may change something" in found[0].told
    assert "domain left the table" in found[1].told


async def test_a_side_that_does_not_answer_leaves_the_others_to_be_asked() -> None:
    def fails(frame: Frame) -> bytes:
        if frame.request_id == "r-1":
            raise AskError("shadow_timeout", "no answer in time")
        return b"{}"

    found = await run(
        BothSides({Side.LEGACY: lambda _: b"{}", Side.CORE: fails}), stored(1), stored(2)
    )

    assert [(one.end, one.told) for one in found] == [
        (End.UNASKED, "no answer in time"),
        (End.EQUAL, ""),
    ]


async def test_requests_of_one_shopper_keep_their_order_and_others_go_side_by_side() -> None:
    sides = saying(b"{}", b"{}")
    recorded = [stored(seq, shopper="s", at_s=NOW_S + seq) for seq in range(5)]
    recorded += [stored(10 + seq) for seq in range(30)]

    await run(sides, *recorded)

    order = [name for side, name in sides.asked if side is Side.LEGACY]
    assert [name for name in order if name in {f"r-{n}" for n in range(5)}] == [
        f"r-{n}" for n in range(5)
    ]
    assert AT_ONCE < sides.most <= 2 * AT_ONCE


@pytest.mark.parametrize(("speed", "waits"), [(None, []), (1.0, [20.0, 10.0]), (10.0, [2.0, 1.0])])
async def test_speed_shortens_the_distances_in_time(
    speed: float | None, waits: list[float]
) -> None:
    clock = StoppedClock()
    recorded = [stored(n, shopper="s", at_s=NOW_S + at) for n, at in enumerate((0, 20, 30))]

    await run(saying(b"{}", b"{}"), *recorded, speed=speed, clock=clock)

    assert clock.slept == pytest.approx(waits)


@given(st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.integers(0, 9))))
def test_lanes_hold_everything_once_and_in_order(asked: list[tuple[str | None, int]]) -> None:
    recorded = once_each(
        Recorded(a_frame(place, shopper, at)) for place, (shopper, at) in enumerate(asked)
    )

    found = lanes(recorded)

    assert sorted(one.frame.request_id for lane in found for one in lane) == sorted(
        one.frame.request_id for one in recorded
    )
    for lane in found:
        assert [one.frame.at_us for one in lane] == sorted(one.frame.at_us for one in lane)
        assert len({one.frame.shopper for one in lane}) == 1
        assert len(lane) == 1 or lane[0].frame.shopper is not None


def a_frame(place: int, shopper: str | None, at: int) -> Frame:
    return msgspec.structs.replace(
        frame(place + 1), shopper=shopper, at_us=at * 1_000_000, request_id=f"r-{place}"
    )


def test_an_exchange_that_is_stored_twice_is_asked_once_and_keeps_its_group() -> None:
    [one] = once_each([stored(1), stored(1, name="v1:aa"), stored(1)])

    assert one.fingerprint == "v1:aa"


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from([1.0, 10.0]))
def test_nothing_is_due_before_the_beginning(at: int, first: int, speed: float) -> None:
    one = a_frame(1, None, at)

    assert due_s(one, first * 1_000_000, speed) >= 0
    assert due_s(one, first * 1_000_000, None) == 0


def test_the_exit_code_tells_what_is_known() -> None:
    def ended(*ends: End) -> list[Replayed]:
        return [Replayed(stored(1), end) for end in ends]

    assert exit_code(ended(End.EQUAL, End.ACCEPTED)) == 0
    assert exit_code(ended(End.EQUAL, End.SAME, End.UNASKED)) == 3
    assert exit_code(ended(End.OTHER)) == 3
    assert exit_code(ended(End.EQUAL, End.UNREAD)) == 4
    assert exit_code([]) == 4
    assert "1 equal, 1 still differ" in summary(ended(End.EQUAL, End.SAME))
    assert "nothing was asked" in summary([])
