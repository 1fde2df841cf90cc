"""The real coordinators, moved call by call, beside applications and streams, at random.

What may happen is what the models let happen: start, take over, crash, sleep, go on, give up,
writes with open transactions by either side, streams that apply. What must hold is held after
each of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from typing_extensions import override

from cutover.core.flip import Kind
from cutover.service.flipping import Preflight, Wish, finish, flip
from cutover.service.flipping_house import House, Limits, Pace
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.flips import Control, Phase
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
from tests.support.flip_crew import Coordinator, Park

_CREW = (0, 1)
_LIMITS = Limits(budget_s=2.0, spare_s=0.2, lease_s=1.0, poll_s=0.1, retry_s=0.1)


@dataclass(slots=True)
class World:
    """Everything that there is."""

    stores: Mapping[Side, ToyStore] = field(
        default_factory=lambda: {side: ToyStore(side) for side in Side}
    )
    routers: ToyRouters = field(default_factory=ToyRouters)
    books: ToyBooks = field(init=False)
    acked: list[int] = field(default_factory=list)
    writes: int = 0

    def __post_init__(self) -> None:
        self.books = ToyBooks(self.stores[Side.CORE])

    @property
    def row(self) -> Control:
        return self.books.rows[DOMAIN]

    def house(self, park: Park, pace: Pace) -> House:
        """Of a coordinator whose calls wait."""
        return House(
            books=park(self.books),
            fences={side: park(ToyFences(store)) for side, store in self.stores.items()},
            applied={side: park(store) for side, store in self.stores.items()},
            verifier=park(ToyVerifier()),
            numbers=park(ToyNumbers()),
            routers=park(self.routers),
            pace=pace,
            limits=_LIMITS,
        )


class Flips(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = World()
        self.crew = [Coordinator(number, self.loop, self.world.house) for number in _CREW]
        self.terms = [0, 0, 0]

    @initialize()
    def owned_by_the_legacy(self) -> None:
        self.loop.run_until_complete(self.world.books.ensure(DOMAIN, Side.LEGACY, 1))

    # Coordinators.

    @rule(number=st.sampled_from(_CREW), kind=st.sampled_from(Kind))
    def start(self, number: int, kind: Kind) -> None:
        one = self.crew[number]
        if not one.is_busy and self.world.row.phase is Phase.OWNED:
            to = self.world.row.owner.other

            async def look(_row: Control) -> Preflight:
                return Preflight({}, ())

            async def work(house: House, holder: str) -> object:
                wish = Wish(DOMAIN, kind, to, ROUTES, holder, "ann", "")
                return await flip(house, wish, look, lambda _moment: None)

            one.begin(work)

    @rule(number=st.sampled_from(_CREW))
    def take_over(self, number: int) -> None:
        one = self.crew[number]
        if not one.is_busy and self.world.row.phase is not Phase.OWNED:
            one.begin(
                lambda house, holder: finish(house, DOMAIN, holder, ROUTES, lambda _moment: None)
            )

    @rule(number=st.sampled_from(_CREW), calls=st.integers(1, 25))
    def go_on(self, number: int, calls: int) -> None:
        for _ in range(calls):
            self.crew[number].step()

    @rule(number=st.sampled_from(_CREW), kind=st.sampled_from(Kind), calls=st.integers(5, 30))
    def go_far(self, number: int, kind: Kind, calls: int) -> None:
        """As start, go on and apply, again and again: deep states are met often enough so."""
        self.start(number, kind)
        self.take_over(number)
        for call in range(calls):
            self.crew[number].step()
            if call % 3 == 0:
                self.apply(Side.CORE, 1)
                self.apply(Side.LEGACY, 1)

    @rule(number=st.sampled_from(_CREW), is_meant=st.sampled_from((False, False, True)))
    def crash(self, number: int, is_meant: bool) -> None:
        if is_meant:
            self.crew[number].end()

    @rule(number=st.sampled_from(_CREW), is_meant=st.sampled_from((False, False, True)))
    def run_out_of_time(self, number: int, is_meant: bool) -> None:
        if is_meant:
            self.crew[number].now_s += _LIMITS.budget_s

    # Applications and streams.

    @rule(side=st.sampled_from(Side))
    def begin_a_write(self, side: Side) -> None:
        store = self.world.stores[side]
        if store.is_open:
            self.world.writes += 1
            store.open.add(self.world.writes)

    @rule(side=st.sampled_from(Side))
    def commit_a_write(self, side: Side) -> None:
        store = self.world.stores[side]
        if store.open:
            write = min(store.open)
            store.commit(write)
            self.world.acked.append(write)

    @rule(count=st.integers(1, 3))
    def write_wherever_it_may(self, count: int) -> None:
        for side in (*Side,) * count:
            self.begin_a_write(side)
            self.commit_a_write(side)

    @rule(side=st.sampled_from(Side), entries=st.integers(1, 5))
    def apply(self, side: Side, entries: int) -> None:
        source, target = self.world.stores[side.other], self.world.stores[side]
        for entry in source.log[target.read : target.read + entries]:
            target.take(entry)
            target.read += 1

    # What must hold.

    @invariant()
    def i1_at_most_one_side_writes(self) -> None:
        assert not all(store.is_open for store in self.world.stores.values())

    @invariant()
    def no_transaction_is_open_behind_a_closed_gate(self) -> None:
        assert all(store.is_open or not store.open for store in self.world.stores.values())

    @precondition(lambda self: DOMAIN in self.world.books.rows)
    @invariant()
    def i2_i5_who_writes_has_every_confirmed_write(self) -> None:
        for store in self.world.stores.values():
            assert not store.is_open or set(self.world.acked) <= store.held

    @precondition(lambda self: DOMAIN in self.world.books.rows)
    @invariant()
    def i6_terms_only_grow(self) -> None:
        stores = self.world.stores.values()
        now = [self.world.row.term, *(store.row.term for store in stores)]
        assert all(a <= b for a, b in zip(self.terms, now, strict=True))
        self.terms = now

    @precondition(lambda self: DOMAIN in self.world.books.rows)
    @invariant()
    def i8_an_owner_at_rest_may_write(self) -> None:
        row = self.world.row
        assert row.phase is not Phase.OWNED or self.world.stores[row.owner].is_open

    @override
    def teardown(self) -> None:
        """L1: whatever was left behind, one more coordinator brings it to rest."""
        for one in self.crew:
            one.end()
        if DOMAIN in self.world.books.rows:
            self.take_over(0)
            while self.crew[0].is_busy:
                self.crew[0].step()
            assert self.world.row.phase is Phase.OWNED
            for side in (*Side, *Side):
                self.apply(side, 10_000)
            self.i8_an_owner_at_rest_may_write()
            held = [store.held for store in self.world.stores.values()]
            assert set(self.world.acked) == held[0] == held[1]
        self.loop.close()


TestFlips = Flips.TestCase
TestFlips.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
