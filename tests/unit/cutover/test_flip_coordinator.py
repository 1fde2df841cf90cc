"""A coordinator goes through with a flip, or takes it back, whatever fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from cutover.core.flip import Ending, Kind, Step
from cutover.errors import DoorClosed
from cutover.service.flipping import Done, Preflight, Wish, finish, flip
from cutover.service.flipping_house import House, Limits, Moment, Pace
from legacy_adapters.errors import SourceUnavailable
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.fences import FenceRow
from legacy_adapters.ports.flips import Control, Lease, Mark, Phase
from new_core.errors import StoreUnavailable
from tests.fakes.flip_world import (
    DOMAIN,
    ROUTES,
    ToyBooks,
    ToyFences,
    ToyNumbers,
    ToyRouters,
    ToyStore,
    ToyVerifier,
)

_LIMITS = Limits(budget_s=0.3, spare_s=0.05, lease_s=0.05, poll_s=0.001, retry_s=0.001)
_GREEN = Preflight({}, ())


@dataclass(slots=True)
class World:
    """All toys of a flip, with the streams running as soon as somebody looks."""

    stores: dict[Side, ToyStore] = field(
        default_factory=lambda: {side: ToyStore(side) for side in Side}
    )
    routers: ToyRouters = field(default_factory=ToyRouters)
    verifier: ToyVerifier = field(default_factory=ToyVerifier)
    numbers: ToyNumbers = field(default_factory=ToyNumbers)
    moments: list[Moment] = field(default_factory=list)
    fences: dict[Side, Any] = field(default_factory=dict)
    books: Any = None

    def __post_init__(self) -> None:
        self.books = ToyBooks(self.stores[Side.CORE])
        self.fences = {side: ToyFences(store) for side, store in self.stores.items()}

    @property
    def house(self) -> House:
        return House(
            books=self.books,
            fences=self.fences,
            applied={side: _Streaming(self.stores, side) for side in Side},
            verifier=self.verifier,
            numbers=self.numbers,
            routers=self.routers,
            pace=Pace(time.monotonic, asyncio.sleep),
            limits=_LIMITS,
        )

    async def flips(
        self, to: Side = Side.CORE, kind: Kind = Kind.FLIP, reds: tuple[str, ...] = ()
    ) -> Done:
        await self.books.ensure(DOMAIN, Side.LEGACY, 1)

        async def look(_row: Control) -> Preflight:
            return replace(_GREEN, reds=reds)

        wish = Wish(DOMAIN, kind, to, ROUTES, "me", "ann", "the day has come")
        return await flip(self.house, wish, look, self.moments.append)

    async def finishes(self, holder: str = "you") -> Done:
        return await finish(self.house, DOMAIN, holder, ROUTES, self.moments.append)

    @property
    def row(self) -> Control:
        found: Control = self.books.rows[DOMAIN]
        return found

    @property
    def gates(self) -> tuple[bool, bool]:
        return self.stores[Side.LEGACY].is_open, self.stores[Side.CORE].is_open

    def journal(self, number: int = 1) -> list[tuple[str, str]]:
        return [(one.line.step, one.line.mark.value) for one in self.books.noted[number]]


@dataclass(slots=True)
class _Streaming:
    """A store's applier that applies one entry per look."""

    stores: dict[Side, ToyStore]
    side: Side

    async def applied(self) -> Any:
        store, source = self.stores[self.side], self.stores[self.side.other]
        if store.read < len(source.log):
            store.take(source.log[store.read])
            store.read += 1
        return await store.applied()


@dataclass(slots=True)
class Failing:
    """A port of which some calls fail, a number of times, before or after they took effect."""

    inner: Any
    call: str
    error: Exception
    times: int = 1_000_000
    is_late: bool = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.inner, name)
        if name != self.call:
            return real

        async def called(*args: object, **options: object) -> object:
            if self.times <= 0:
                return await real(*args, **options)
            self.times -= 1
            if self.is_late:
                await real(*args, **options)
            raise self.error

        return called


_AWAY = StoreUnavailable("no answer")


async def test_a_flip_gives_the_domain_to_the_core_and_closes_the_legacy() -> None:
    world = World()
    world.stores[Side.LEGACY].commit(1)

    done = await world.flips()

    assert (done.ending, done.problem) == (Ending.COMMITTED, "")
    assert world.gates == (False, True)
    assert (world.row.phase, world.row.owner, world.row.term) == (Phase.OWNED, Side.CORE, 3)
    assert world.stores[Side.CORE].held == {1}
    assert world.stores[Side.LEGACY].row == FenceRow(DOMAIN, "none", 2)


async def test_a_flip_writes_each_step_down_before_and_after_it() -> None:
    world = World()

    await world.flips()

    steps = list(Step)[: list(Step).index(Step.WATCH)]
    assert world.journal() == [(s.value, m) for s in steps for m in ("intent", "done")]


async def test_the_way_back_is_the_same_flip_with_the_sides_swapped() -> None:
    world = World()
    await world.flips()
    there = world.journal(1)
    world.stores[Side.CORE].commit(2)

    done = await world.flips(to=Side.LEGACY)

    assert done.ending is Ending.COMMITTED
    assert world.gates == (True, False)
    assert (world.row.owner, world.row.term) == (Side.LEGACY, 5)
    assert world.stores[Side.LEGACY].held == {2}
    assert world.journal(2) == there


async def test_the_table_is_drafted_before_anybody_waits_and_swapped_before_they_go_on() -> None:
    world = World()

    await world.flips()

    assert world.routers.did == [
        "drafted",
        "held",
        "routed to core",
        "took table-core",
        "released",
        "written down",
    ]


async def test_the_freeze_is_measured_and_kept() -> None:
    world = World()

    done = await world.flips()

    assert done.freeze_ms is not None
    assert done.freeze_ms > 0
    assert world.books.records[0].freeze_ms == done.freeze_ms


async def test_a_red_gate_keeps_a_flip_from_beginning() -> None:
    world = World()

    done = await world.flips(reds=("3 documents are parked",))

    assert (done.ending, done.problem) == (Ending.NOTHING, "3 documents are parked")
    assert world.row == Control(DOMAIN, Phase.OWNED, Side.LEGACY, 1)
    assert (world.books.records[0].outcome, world.routers.did) == ("nothing", [])


async def test_a_flip_to_where_the_domain_is_does_nothing() -> None:
    world = World()

    done = await world.flips(to=Side.LEGACY)

    assert (done.ending, done.flip) == (Ending.NOTHING, 0)
    assert world.books.records == []


async def test_a_rehearsal_measures_the_freeze_and_leaves_all_as_it_was() -> None:
    world = World()

    done = await world.flips(kind=Kind.REHEARSAL)

    assert (done.ending, done.problem) == (Ending.ABORTED, "")
    assert done.freeze_ms is not None
    assert world.books.records[0].outcome == "rehearsed"
    assert world.gates == (True, False)
    assert (world.row.phase, world.row.owner, world.row.term) == (Phase.OWNED, Side.LEGACY, 3)
    assert world.routers.did == ["held", "released"]


async def test_a_flip_follows_a_rehearsal_at_its_term() -> None:
    world = World()
    await world.flips(kind=Kind.REHEARSAL)

    done = await world.flips()

    assert done.ending is Ending.COMMITTED
    assert (world.row.owner, world.row.term) == (Side.CORE, 5)


def _busy(world: World) -> None:
    world.stores[Side.LEGACY].open.add(1)


def _endless(world: World) -> None:
    world.routers.in_flight = [1] * 10_000


def _differs(world: World) -> None:
    world.verifier.problems = ("order 7 has another total",)


def _numbers(world: World) -> None:
    world.numbers.problems = ("baskets draw 1000000001 next, which is in use",)


def _moved(world: World) -> None:
    world.stores[Side.LEGACY].row = FenceRow(DOMAIN, "legacy", 2)


def _no_hold(world: World) -> None:
    world.routers = cast(
        "ToyRouters", Failing(world.routers, "hold", DoorClosed("away", is_refused=True))
    )


@pytest.mark.parametrize("breaks", [_busy, _endless, _differs, _numbers, _moved, _no_hold])
async def test_what_fails_before_the_commit_is_taken_back(breaks: Any) -> None:
    world = World()
    breaks(world)

    done = await world.flips()

    assert done.ending is Ending.ABORTED
    assert done.problem
    assert world.gates == (True, False)
    assert (world.row.phase, world.row.owner, world.row.term) == (Phase.OWNED, Side.LEGACY, 3)
    assert world.routers.held == set()
    assert world.books.records[0].outcome == "aborted"
    assert world.books.records[0].problem == done.problem


async def test_an_applier_that_does_not_catch_up_ends_in_an_abort() -> None:
    world = World()
    world.stores[Side.CORE].read = 1_000

    done = await world.flips()

    assert done.ending is Ending.ABORTED
    assert "core has not got everything" in done.problem
    assert world.gates == (True, False)


@pytest.mark.parametrize(
    ("call", "is_late", "ending"),
    [
        ("lease", False, Ending.LOST),
        ("lease", True, Ending.ABORTED),
        ("decide", False, Ending.ABORTED),
        ("decide", True, Ending.COMMITTED),
        ("note", False, Ending.ABORTED),
        ("close", False, Ending.COMMITTED),
        ("close", True, Ending.LOST),
    ],
)
async def test_an_answer_of_the_books_that_got_lost_is_found_out(
    call: str, is_late: bool, ending: Ending
) -> None:
    world = World()
    world.books = Failing(world.books, call, _AWAY, times=1, is_late=is_late)

    done = await world.flips()

    assert done.ending is ending
    assert world.row.phase is Phase.OWNED
    assert world.gates == ((True, False) if world.row.owner is Side.LEGACY else (False, True))


@pytest.mark.parametrize("to", Side)
async def test_behind_the_commit_a_gate_is_tried_until_it_opens(to: Side) -> None:
    world = World()
    if to is Side.LEGACY:
        await world.flips()
    world.fences[to] = Failing(world.fences[to], "open_gate", SourceUnavailable("away"), times=20)

    done = await world.flips(to=to)

    assert done.ending is Ending.COMMITTED
    assert world.gates == (to is Side.LEGACY, to is Side.CORE)


async def test_what_is_tried_again_and_again_is_written_down_once() -> None:
    world = World()
    away = SourceUnavailable("away")
    world.fences[Side.CORE] = Failing(world.fences[Side.CORE], "open_gate", away, times=20)

    await world.flips()

    lines = [line for line in world.journal() if line[0] == "grant"]
    assert len(lines) <= 22
    assert lines.count(("grant", "intent")) == 1


async def test_a_proxy_that_died_after_the_commit_holds_nothing_any_more() -> None:
    world = World()
    gone = DoorClosed("nothing listens", is_refused=True)
    world.routers = cast("ToyRouters", Failing(world.routers, "take", gone))

    done = await world.flips()

    assert done.ending is Ending.COMMITTED


async def test_a_side_door_that_does_not_answer_is_asked_until_the_hold_is_over() -> None:
    world = World()
    silent = DoorClosed("no answer", is_refused=False)
    world.routers = cast("ToyRouters", Failing(world.routers, "release", silent))

    done = await world.flips()

    assert done.ending is Ending.COMMITTED
    assert done.freeze_ms == 1_000 * _LIMITS.budget_s
    assert (world.row.phase, world.gates) == (Phase.OWNED, (False, True))


async def _dies_at(world: World, call: str) -> None:
    """Run until a call of the fences or the books, and vanish there."""

    class Killed(BaseException):
        pass

    for side in Side:
        world.fences[side] = Failing(world.fences[side], call, cast("Exception", Killed()), 1)
    books = world.books
    world.books = Failing(books, call, cast("Exception", Killed()), 1)
    with pytest.raises((Killed, BaseExceptionGroup)):
        await world.flips()
    world.books = books
    world.fences = {side: ToyFences(store) for side, store in world.stores.items()}


@pytest.mark.parametrize(
    ("call", "ending"),
    [
        ("close_gate", Ending.ABORTED),
        ("decide", Ending.ABORTED),
        ("open_gate", Ending.COMMITTED),
        ("close", Ending.COMMITTED),
    ],
)
async def test_a_dead_coordinators_flip_is_given_up_or_finished(call: str, ending: Ending) -> None:
    world = World()
    await _dies_at(world, call)

    done = await world.finishes()

    assert done.ending is ending
    assert world.row.phase is Phase.OWNED
    assert world.gates == ((False, True) if ending is Ending.COMMITTED else (True, False))
    assert world.books.records[0].outcome == ending.value


async def test_a_second_coordinator_leaves_a_living_ones_flip_alone() -> None:
    world = World()
    await _dies_at(world, "decide")

    async def lives() -> None:
        lease = Lease(DOMAIN, 1, "me")
        while await world.books.keep(lease):
            await asyncio.sleep(0.005)

    living = asyncio.ensure_future(lives())
    done = await world.finishes()
    living.cancel()

    assert (done.ending, world.row.holder, world.row.phase) == (Ending.LOST, "me", Phase.FLIPPING)


async def test_a_new_flip_waits_for_the_end_of_one_that_is_not_over() -> None:
    world = World()
    await _dies_at(world, "decide")

    done = await world.flips()

    assert done.ending is Ending.NOTHING
    assert "banyan flip --resume" in done.problem


async def test_a_sleeper_whose_flip_was_taken_over_touches_nothing_more() -> None:
    world = World()
    asleep, wake = asyncio.Event(), asyncio.Event()
    real = world.fences[Side.LEGACY]

    class Sleepy:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        async def close_gate(self, domain: str, *, term: int, wait_s: float) -> Any:
            asleep.set()
            await wake.wait()
            return await real.close_gate(domain, term=term, wait_s=wait_s)

    world.fences[Side.LEGACY] = Sleepy()
    books = world.books
    # A stopped process shows no beat.
    world.books = Failing(books, "keep", _AWAY)
    sleeper = asyncio.ensure_future(world.flips())
    await asleep.wait()
    world.books, world.fences[Side.LEGACY] = books, real
    taken = await world.finishes()
    wake.set()
    woken = await sleeper

    assert (taken.ending, woken.ending) == (Ending.ABORTED, Ending.LOST)
    assert world.gates == (True, False)
    assert world.stores[Side.LEGACY].row == FenceRow(DOMAIN, "legacy", 3)


def _steps(moments: Sequence[Moment]) -> list[str]:
    return [f"{one.step}" for one in moments if one.mark is not Mark.INTENT]


async def test_who_watches_is_told_each_step_with_its_time() -> None:
    world = World()

    await world.flips()

    assert _steps(world.moments) == [step.value for step in list(Step)[1:10]]
    assert all((moment.took_ms is None) == (moment.mark is Mark.INTENT) for moment in world.moments)
