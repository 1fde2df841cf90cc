"""One render for all viewers, and only what changed to each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from cutover.api import Board, Gatherer
from cutover.api.live import Channel, Drawn
from cutover.api.readings import Table
from cutover.api.rendering import Fragments
from cutover.api.stream import EventStream, Seats
from tests.support.asgi import get
from tests.support.room import Sources
from tests.unit.cutover_room.samples import NOW_S, STORES, a_domain, a_store_of_evidence


class Screen:
    """A page whose parts a test sets by hand, and the clock that goes with it."""

    def __init__(self, **parts: str) -> None:
        self.parts = parts
        self.listed: tuple[str, ...] = ()
        self.draws = 0
        self.now_s = 0.0

    def show(self, **parts: str) -> None:
        """Change some parts; the next look comes two seconds later."""
        self.parts = self.parts | parts
        self.now_s += 2

    async def draw(self) -> Drawn:
        self.draws += 1
        await asyncio.sleep(0)
        return Drawn(Fragments("t", "b.html", dict(self.parts), self.listed), NOW_S)

    def channel(self, boot: str = "boot") -> Channel:
        return Channel(boot, self.draw, lambda: self.now_s)


async def test_a_hundred_viewers_share_one_drawing() -> None:
    screen = Screen(a="1")
    channel = screen.channel()

    await asyncio.gather(*(channel.current() for _ in range(100)))

    assert screen.draws == 1


async def test_a_page_is_drawn_anew_after_a_second() -> None:
    screen = Screen(a="1")
    channel = screen.channel()
    await channel.current()
    screen.show(a="2")

    drawn = await channel.current()

    assert drawn is not None
    assert drawn.fragments.parts == {"a": "2"}


async def test_a_viewer_gets_only_what_changed_since_it_last_looked() -> None:
    screen = Screen(a="1", b="1")
    channel = screen.channel()
    await channel.current()
    seen = channel.version

    nothing = await channel.since(seen)
    screen.show(b="2")
    change = await channel.since(seen)

    assert nothing is None
    assert change is not None
    assert change.parts == {"b": "2"}


async def test_a_viewer_that_missed_several_changes_gets_the_newest_state_once() -> None:
    screen = Screen(a="1", b="1")
    channel = screen.channel()
    await channel.current()
    seen = channel.version
    for value in "234":
        screen.show(a=value)
        await channel.current()

    change = await channel.since(seen)

    assert change is not None
    assert change.parts == {"a": "4"}


async def test_a_version_of_an_earlier_life_brings_everything() -> None:
    channel = Screen(a="1", b="1").channel("new")

    for seen in ("old.7", "", "new.x", "new.\u0663"):
        change = await channel.since(seen)

        assert change is not None
        assert set(change.parts) == {"a", "b"}


async def test_a_new_order_is_told_even_when_no_part_changed() -> None:
    screen = Screen(a="1", b="1")
    screen.listed = ("a", "b")
    channel = screen.channel()
    await channel.current()
    seen = channel.version
    screen.listed = ("b", "a")
    screen.show()

    change = await channel.since(seen)

    assert change is not None
    assert (change.parts, change.listed) == ({}, ("b", "a"))


async def test_growing_ages_alone_change_nothing() -> None:
    sources = Sources(Table("r", (a_domain(),), STORES), a_store_of_evidence(), now_s=NOW_S)
    board = board_over(sources)
    first = await board.overview().current()
    sources.now_s = NOW_S + 7

    second = await board_over(sources).overview().current()

    assert first is not None
    assert second is not None
    changed = {k for k, v in first.fragments.parts.items() if second.fragments.parts[k] != v}
    assert changed == set()


def board_over(sources: Sources) -> Board:
    return Board(Gatherer(sources.asks(), sources.clock_s), boot="b")


async def stream(
    channel: Channel,
    seats: Seats,
    send: Callable[[dict[str, Any]], Any],
    *,
    stopping: Callable[[], bool],
    patience_s: float = 5.0,
    leave: asyncio.Event | None = None,
) -> None:
    async def receive() -> dict[str, Any]:
        await (leave or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    response = EventStream(
        channel, "", seats, clock_s=lambda: NOW_S, stopping=stopping, patience_s=patience_s
    )
    await response({"type": "http"}, receive, send)  # type: ignore[arg-type]  # a plain dict will do


async def test_a_stream_sends_the_state_a_beat_and_ends_when_the_room_closes() -> None:
    sent: list[dict[str, Any]] = []
    seats = Seats()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await stream(Screen(a="<p>1</p>").channel(), seats, send, stopping=lambda: len(sent) > 2)

    start, parts, beat, end = sent
    assert (b"content-type", b"text/event-stream; charset=utf-8") in start["headers"]
    event = parts["body"].decode()
    assert event.startswith("event: parts\nid: boot.1\ndata: ")
    assert json.loads(event.split("data: ")[1])["parts"] == {"a": "<p>1</p>"}
    assert beat["body"].startswith(b"event: beat\n")
    assert not end.get("more_body")
    assert seats.taken == 0


async def test_a_viewer_that_does_not_read_is_dropped_and_counted() -> None:
    seats = Seats()

    async def stuck(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    await stream(Screen(a="1").channel(), seats, stuck, stopping=lambda: False, patience_s=0.05)

    assert (seats.taken, seats.dropped) == (0, 1)


async def test_a_viewer_that_leaves_gives_its_seat_back() -> None:
    seats, leave = Seats(), asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            leave.set()

    await stream(Screen(a="1").channel(), seats, send, stopping=lambda: False, leave=leave)

    assert (seats.taken, seats.dropped) == (0, 0)


async def test_a_full_room_sends_the_next_viewer_away_for_a_while() -> None:
    sources = Sources(Table("r", (a_domain(),), STORES), a_store_of_evidence(), now_s=NOW_S)
    seats = Seats(limit=1, taken=1)

    answer = await get(sources.app(seats), "/events?page=overview")

    assert answer.status == 503
    assert answer.headers["retry-after"] == "15"


async def test_a_store_that_is_away_is_not_asked_for_every_domain() -> None:
    domains = tuple(a_domain(f"d{n}") for n in range(200))
    sources = Sources(Table("r", domains, STORES), a_store_of_evidence(), now_s=NOW_S)
    sources.evidence.away = "gone"

    await board_over(sources).overview().current()

    assert sources.evidence.asked <= 8


async def test_pages_asked_for_by_any_name_do_not_pile_up() -> None:
    sources = Sources(Table("r", (), STORES), a_store_of_evidence(), now_s=NOW_S)
    board = board_over(sources)

    for n in range(500):
        assert await board.domain(f"no-such-{n}").current() is None

    assert len(board.channels._channels) <= 64
