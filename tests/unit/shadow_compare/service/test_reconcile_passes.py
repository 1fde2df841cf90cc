"""Passes over two sides that move while they are compared."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from legacy_adapters.mapping.versions import Side
from shadow_compare.core.drift_class import DriftClass
from shadow_compare.core.drift_record import DriftState, drift_id
from shadow_compare.core.drift_sample import hidden
from shadow_compare.core.reconcile_judge import OtherState, OwnerState, Standing, judge
from shadow_compare.core.reconcile_pass import PassKind, PassRecord, Stretch, Tally
from shadow_compare.core.reconcile_rounds import Patience
from shadow_compare.errors import NoCleanPass, PassBusy
from shadow_compare.ports.reconciling import FoundDrift
from shadow_compare.service.reconciling import PassWish, Reconciler
from shadow_compare.service.reconciling_looks import Looker
from shadow_compare.service.reconciling_stretch import Way
from tests.fakes.reconcile_books import MemoryReconcileBooks
from tests.support.reconcile_simulation import (
    KIND,
    Clock,
    SimulatedSides,
    World,
    as_other,
    changed,
    doc,
)

PATIENCE = Patience(first_s=0.1, longest_s=5.0, looks=60, confirm_s=0.1, room=40)


class Quiet:
    """Watches nothing."""

    def begin(self, record: PassRecord) -> None: ...
    def moved(self, tally: Tally) -> None: ...


class Shop:
    """A world with books and a reconciler for it."""

    def __init__(self, seed: int, *, aggregates: int, writes: int = 0, extra_keys: int = 5) -> None:
        self.clock = Clock()
        self.keys = [f"{number:04}" for number in range(aggregates + extra_keys)]
        self.world = World(random.Random(seed), self.keys, writes)
        self.world.start({key: doc(key) for key in self.keys[:aggregates]})
        self.books = MemoryReconcileBooks(self.clock)

    async def run(
        self,
        kind: PassKind = PassKind.FULL,
        *,
        holder: str = "here",
        workers: int = 1,
        way: Way | None = None,
    ) -> PassRecord:
        looker = Looker(
            SimulatedSides(self.world),
            self.clock,
            self.clock,
            hidden,
            catch_up_s=0.5,
            sleep=self.clock.sleep,
        )
        way = way or Way(PATIENCE, chunk=7, view_s=0.05, lease_s=0.0)
        reconciler = Reconciler(looker, self.books, way, Quiet())
        number = len(self.books.passes)
        return await reconciler.run(PassWish(f"pass-{number}", kind, holder, workers))

    def classes(self) -> dict[str, DriftClass]:
        return {
            one.key: one.drift for one in self.books.known.values() if one.state is DriftState.OPEN
        }


def run(shop: Shop, **wanted: object) -> PassRecord:
    return asyncio.run(shop.run(**wanted))  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32),
    aggregates=st.integers(0, 40),
    writes=st.integers(0, 120),
    workers=st.integers(1, 3),
)
def test_nothing_is_reported_of_equal_sides_whatever_happens_meanwhile(
    seed: int, aggregates: int, writes: int, workers: int
) -> None:
    shop = Shop(seed, aggregates=aggregates, writes=writes)

    ended = run(shop, workers=workers)

    assert shop.books.known == {}
    assert ended.is_clean
    assert ended.tally.owner == ended.tally.other


@pytest.mark.parametrize("broken", ["nobody waits", "every version is old"])
def test_a_judgement_that_forgets_one_question_cries_wolf(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(
        owner: OwnerState,
        other: OtherState,
        low: int,
        *,
        is_waiting: bool,
        is_staged: bool,
        is_same: bool,
    ) -> Standing:
        assert {is_staged, is_same} <= {True, False}
        if broken == "nobody waits":
            return judge(owner, other, low, is_waiting=False)
        return judge(owner, other, 10**9, is_waiting=is_waiting)

    monkeypatch.setattr("shadow_compare.service.reconciling_looks.judge", wrong)
    found = 0
    for seed in range(60):
        shop = Shop(seed, aggregates=6, writes=600, extra_keys=0)
        shop.world.busy = 12
        shop.world.lazy = 3 if broken == "nobody waits" else 0
        run(shop)
        found += len(shop.books.known)

    assert found > 0


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), data=st.data())
def test_every_difference_that_nobody_writes_over_is_found_and_named(
    seed: int, data: st.DataObject
) -> None:
    shop = Shop(seed, aggregates=30, writes=60)
    still = shop.keys[:12]
    shop.world.keys = shop.keys[12:]
    damage = data.draw(
        st.dictionaries(st.sampled_from(still), st.sampled_from(["lost", "cent", "price", "blank"]))
    )
    wanted = {}
    for key, kind in damage.items():
        wanted[key] = _damage(shop.world, key, kind)

    ended = run(shop)

    assert shop.classes() == wanted
    assert ended.is_clean == (not wanted)


def _damage(world: World, key: str, kind: str) -> DriftClass:
    right = world.owner[key]
    if kind == "lost":
        as_other(world, key, None)
        return DriftClass.MISSING_CORE
    if kind == "cent":
        as_other(world, key, changed(right, right.total_minor + 1))
        return DriftClass.PRECISION
    if kind == "price":
        as_other(world, key, changed(right, right.total_minor + 500))
        return DriftClass.VALUE
    as_other(world, key, type(right)(right.id, right.number, right.total_minor, ""))
    return DriftClass.TEXT


def test_what_the_owner_deleted_without_a_word_is_extra() -> None:
    shop = Shop(1, aggregates=10)
    del shop.world.owner["0003"]

    ended = run(shop)

    assert shop.classes() == {"0003": DriftClass.EXTRA_CORE}
    assert not ended.is_clean


def test_what_cannot_be_read_is_unmapped() -> None:
    shop = Shop(1, aggregates=4)
    shop.world.corrupt.add("0002")

    run(shop)

    assert shop.classes() == {"0002": DriftClass.UNMAPPED}


def test_money_at_stake_is_by_how_much_the_amounts_differ() -> None:
    shop = Shop(1, aggregates=4)
    as_other(shop.world, "0002", doc("0002", 1_750))

    run(shop)

    assert [one.stake for one in shop.books.known.values()] == [(750, "EUR")]


def test_a_pass_finds_a_difference_that_was_mended_gone() -> None:
    shop = Shop(1, aggregates=10)
    as_other(shop.world, "0003", None)
    run(shop)
    as_other(shop.world, "0003", shop.world.owner["0003"])

    ended = run(shop)

    assert shop.books.known[drift_id("orders", KIND, "0003")].state is DriftState.GONE
    assert ended.is_clean


def test_an_applier_that_stands_still_lets_no_pass_be_clean() -> None:
    shop = Shop(1, aggregates=60)
    for key in shop.keys[:30]:
        shop.world.write(key, doc(key, 5))
        shop.world.parked.add(key)
    impatient = Way(Patience(0.1, 0.2, 3, 0.1), chunk=7, view_s=0.05, lease_s=0.0)

    ended = run(shop, way=impatient)

    assert shop.books.known == {}
    assert ended.tally.unsettled == 30
    assert not ended.is_clean


class Killed(BaseException):
    """The process is gone at this very place."""


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), kills=st.lists(st.integers(1, 25), max_size=4))
def test_a_pass_that_is_killed_again_and_again_leaves_nothing_out(
    seed: int, kills: list[int]
) -> None:
    shop = Shop(seed, aggregates=40, writes=60)
    shop.world.keys = shop.keys[12:]
    wanted = {key: _damage(shop.world, key, "price") for key in shop.keys[:12:2]}
    for number, kill in enumerate(kills):
        _run_until_killed(shop, f"process {number}", kill)

    ended = run(shop, holder="the last one")

    assert shop.classes() == wanted
    assert ended.tally.different == 6
    assert ended.tally.owner == ended.tally.other


def _run_until_killed(shop: Shop, holder: str, keeps: int) -> None:
    books, kept = shop.books, shop.books.kept
    keep = books.keep

    async def kill_behind(
        record: PassRecord,
        stretch: Stretch,
        found: Sequence[FoundDrift],
        unsettled: Sequence[str],
    ) -> None:
        if books.kept - kept >= keeps:
            raise Killed
        await keep(record, stretch, found, unsettled)

    books.keep = kill_behind  # type: ignore[method-assign]
    try:
        run(shop, holder=holder)
    except Killed:
        books.dead.add(holder)
    finally:
        books.keep = keep  # type: ignore[method-assign]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), fails=st.lists(st.integers(20, 300), max_size=6))
def test_a_store_that_is_away_now_and_then_leaves_nothing_out(seed: int, fails: list[int]) -> None:
    shop = Shop(seed, aggregates=30)
    wanted = {key: _damage(shop.world, key, "price") for key in shop.keys[:30:3]}
    shop.world.fails = [shop.world.calls + one for one in fails]

    ended = run(shop)

    assert shop.classes() == wanted
    assert ended.tally.checked >= 30


def test_two_passes_at_once_are_refused() -> None:
    shop = Shop(1, aggregates=30)

    async def both() -> list[PassRecord | BaseException]:
        return list(
            await asyncio.gather(
                shop.run(holder="one"), shop.run(holder="two"), return_exceptions=True
            )
        )

    ended = asyncio.run(both())

    assert sorted(type(one).__name__ for one in ended) == ["PassBusy", "PassRecord"]


def test_a_process_whose_pass_was_taken_up_stores_nothing_more() -> None:
    shop = Shop(1, aggregates=30)
    _run_until_killed(shop, "frozen", 2)
    frozen = next(iter(shop.books.passes.values()))
    run(shop, holder="second")

    with pytest.raises(PassBusy):
        asyncio.run(shop.books.beat(frozen))


def test_a_hot_pass_looks_at_what_changed_since_the_last_clean_one() -> None:
    shop = Shop(1, aggregates=30)
    run(shop)
    shop.world.write("0007", doc("0007", 9))
    shop.world.drain()
    as_other(shop.world, "0007", doc("0007", 500))

    ended = run(shop, kind=PassKind.HOT)

    assert ended.tally.checked <= 3
    assert shop.classes() == {"0007": DriftClass.VALUE}


def test_a_hot_pass_without_a_clean_one_before_it_is_refused() -> None:
    shop = Shop(1, aggregates=3)

    with pytest.raises(NoCleanPass):
        run(shop, kind=PassKind.HOT)


def test_what_never_stood_still_is_looked_at_by_the_next_hot_pass() -> None:
    shop = Shop(1, aggregates=30)
    shop.world.write("0004", doc("0004", 1))
    shop.world.parked.add("0004")
    run(shop, way=Way(Patience(0.1, 0.2, 3, 0.1), chunk=7, view_s=0.05, lease_s=0.0))
    shop.world.parked.clear()
    shop.world.drain()

    ended = run(shop, kind=PassKind.HOT)

    assert ended.tally.checked >= 1
    assert ended.is_clean


def test_a_continuous_pass_rests_as_it_is_told() -> None:
    shop = Shop(1, aggregates=30)
    busy = run(shop)
    before_s = shop.clock.at_s
    worked_s = (busy.ended_s or 0) - busy.started_s

    way = Way(PATIENCE, chunk=7, view_s=0.05, lease_s=0.0, share=0.05)
    run(shop, kind=PassKind.CONTINUOUS, way=way)

    assert shop.clock.at_s - before_s > 5 * worked_s


def test_the_last_pass_of_one_owner_says_nothing_of_the_other() -> None:
    shop = Shop(1, aggregates=3)

    run(shop)

    assert asyncio.run(shop.books.last("orders", Side.CORE)) is None
    assert Standing.SAME is Standing("same")
