"""Repairs through the applier, and the exact compare of a flip."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from legacy_adapters.mapping.versions import Side
from shadow_compare.core.drift_class import DriftClass
from shadow_compare.core.drift_plan import Allowed
from shadow_compare.core.drift_record import DriftState, drift_id
from shadow_compare.core.drift_sample import hidden
from shadow_compare.core.reconcile_pass import PassKind, PassRecord, Tally
from shadow_compare.core.reconcile_rounds import Patience
from shadow_compare.errors import RepairRefused
from shadow_compare.service.hot_verify import HotVerifier, Verified
from shadow_compare.service.reconciling import PassWish, Reconciler
from shadow_compare.service.reconciling_looks import Looker
from shadow_compare.service.reconciling_stretch import Way
from shadow_compare.service.repairing import Repaired, Repairer, RepairWish
from tests.fakes.reconcile_books import MemoryReconcileBooks
from tests.support.reconcile_simulation import (
    KIND,
    Clock,
    SimulatedSides,
    World,
    as_other,
    doc,
)

ANY = Allowed(None)


class Quiet:
    """Watches nothing."""

    def begin(self, record: PassRecord) -> None: ...
    def moved(self, tally: Tally) -> None: ...


class Bench:
    """A shop of so many orders, and everything that looks at it."""

    def __init__(self, aggregates: int = 30) -> None:
        self.clock = Clock()
        self.world = World(random.Random(7))
        self.world.start({f"{n:05}": doc(f"{n:05}") for n in range(aggregates)})
        self.books = MemoryReconcileBooks(self.clock)
        self.sides = SimulatedSides(self.world)
        self.looker = Looker(
            self.sides,
            self.clock,
            self.clock,
            hidden,
            catch_up_s=0.5,
            sleep=self.clock.sleep,
        )

    def passes(self, kind: PassKind = PassKind.FULL) -> PassRecord:
        way = Way(Patience(0.1, 1.0, 8, 0.1), chunk=500, lease_s=0.0)
        reconciler = Reconciler(self.looker, self.books, way, Quiet())
        wish = PassWish(f"pass-{len(self.books.passes)}", kind, "here")
        return asyncio.run(reconciler.run(wish))

    def repairs(self, allowed: Allowed = ANY, *, ids: frozenset[str] | None = None) -> Repaired:
        wish = RepairWish("r1", "ada", allowed, ids, settle_s=120.0)
        return asyncio.run(Repairer(self.looker, self.books).apply(wish))

    def verifies(self, *, within_s: float = 60.0, totals: Sequence[str] = ()) -> Verified:
        async def sums(domain: str, owner: Side) -> Sequence[str]:
            assert (domain, owner) == ("orders", Side.LEGACY)
            return totals

        verifier = HotVerifier(lambda _domain, _owner: self.looker, self.books, sums)
        return asyncio.run(verifier.verify("orders", Side.LEGACY, within_s=within_s))

    def states(self) -> dict[str, DriftState]:
        return {one.key: one.state for one in self.books.known.values()}


def test_a_repair_takes_the_owner_across_and_looks_again() -> None:
    bench = Bench()
    as_other(bench.world, "00003", None)
    as_other(bench.world, "00004", doc("00004", 700))
    bench.passes()

    done = bench.repairs()

    assert (done.repaired, done.left) == (2, ())
    assert bench.world.other["00003"][0] == bench.world.owner["00003"]
    assert set(bench.states().values()) == {DriftState.REPAIRED}
    assert bench.passes().is_clean


def test_what_the_owner_has_no_more_is_taken_away() -> None:
    bench = Bench()
    del bench.world.owner["00003"]
    bench.passes()

    bench.repairs()

    assert "00003" not in bench.world.other


def test_a_repair_notes_who_did_it_and_what_came_of_it() -> None:
    bench = Bench()
    as_other(bench.world, "00004", doc("00004", 700))
    bench.passes()

    bench.repairs(Allowed({"EUR": 300}, "a test"))

    (noted,) = asyncio.run(bench.books.repairs("orders", 9))
    assert (noted.said_by, noted.cause, noted.keys, noted.repaired) == ("ada", "a test", 1, 1)
    assert noted.stake == {"EUR": 300}
    assert noted.ended_s is not None


def test_a_plan_changes_nothing() -> None:
    bench = Bench()
    as_other(bench.world, "00004", doc("00004", 700))
    bench.passes()

    plan = asyncio.run(Repairer(bench.looker, bench.books).plan(RepairWish("r1", "ada", Allowed())))

    assert [one.key for one in plan.repairs] == ["00004"]
    assert plan.obstacles
    assert bench.world.touched == []


@pytest.mark.parametrize("allowed", [Allowed(), Allowed({"EUR": 299}), Allowed({"USD": 10_000})])
def test_money_that_nobody_approved_is_not_moved(allowed: Allowed) -> None:
    bench = Bench()
    as_other(bench.world, "00004", doc("00004", 700))
    bench.passes()

    with pytest.raises(RepairRefused):
        bench.repairs(allowed)

    assert bench.world.touched == []
    assert bench.books.repaired == {}


def test_a_storm_stops_and_goes_on_when_its_cause_is_said() -> None:
    bench = Bench(60)
    for number in range(25):
        as_other(bench.world, f"{number:05}", None)
    bench.passes()

    with pytest.raises(RepairRefused):
        bench.repairs(Allowed(None))
    done = bench.repairs(Allowed(None, "somebody emptied the table"))

    assert done.repaired == 25


def test_what_the_applier_cannot_take_stays_open() -> None:
    bench = Bench()
    as_other(bench.world, "00004", doc("00004", 700))
    bench.passes()
    bench.world.parked.add("00004")

    done = bench.repairs()

    assert done.left == (drift_id("orders", KIND, "00004"),)
    assert bench.states() == {"00004": DriftState.OPEN}


def test_only_the_wanted_ones_are_repaired() -> None:
    bench = Bench()
    for key in ("00003", "00004"):
        as_other(bench.world, key, None)
    bench.passes()

    bench.repairs(ids=frozenset([drift_id("orders", KIND, "00003")]))

    assert bench.world.touched == ["00003"]


def test_a_repair_is_no_faster_than_it_may_be() -> None:
    bench = Bench(1_000)
    for number in range(400):
        as_other(bench.world, f"{number:05}", None)
    bench.passes()
    before_s = bench.clock.at_s

    wish = RepairWish("r1", "ada", Allowed(None, "a test"), per_s=20.0)
    asyncio.run(Repairer(bench.looker, bench.books).apply(wish))

    assert bench.clock.at_s - before_s > 18


def test_frozen_sides_that_are_equal_are_verified() -> None:
    bench = Bench()
    bench.passes()
    bench.world.write("00002", doc("00002", 5))
    bench.world.drain()

    verified = bench.verifies()

    assert verified.problems == ()
    assert 1 <= verified.compared <= 3


def test_a_difference_of_what_changed_lately_is_a_problem() -> None:
    bench = Bench()
    bench.passes()
    bench.world.write("00002", doc("00002", 5))
    bench.world.drain()
    as_other(bench.world, "00002", doc("00002", 900))

    verified = bench.verifies()

    assert verified.problems == (f"{KIND} 00002: {DriftClass.VALUE}",)


def test_a_kind_that_no_fence_holds_still_is_not_compared_on_frozen_data() -> None:
    bench = Bench()
    bench.passes()
    bench.world.write("00002", doc("00002", 5))
    bench.world.drain()
    as_other(bench.world, "00002", doc("00002", 900))
    bench.sides.restless = frozenset({KIND})

    verified = bench.verifies()

    assert (verified.compared, verified.problems) == (0, ())


def test_what_still_waits_while_nobody_may_write_is_a_problem() -> None:
    bench = Bench()
    bench.passes()
    bench.world.write("00002", doc("00002", 5))
    bench.world.drain()
    bench.world.write("00002", doc("00002", 6))
    bench.world.parked.add("00002")
    bench.world.stream()

    verified = bench.verifies()

    assert len(verified.problems) == 1
    assert "waits to be applied" in verified.problems[0]


def test_without_a_clean_pass_nothing_is_verified() -> None:
    bench = Bench()

    assert bench.verifies().problems == ("orders has no clean pass while legacy owns it",)


def test_what_is_not_done_in_time_is_a_problem() -> None:
    bench = Bench(5)
    bench.passes()
    bench.world.write("00002", doc("00002", 5))
    bench.world.drain()

    assert bench.verifies(within_s=0.0).problems == ("not done within 0 s",)


def test_sums_that_differ_are_problems() -> None:
    bench = Bench()
    bench.passes()

    assert bench.verifies(totals=["orders of a day differ"]).problems == ("orders of a day differ",)


def test_a_store_that_is_away_is_a_problem_and_no_crash() -> None:
    bench = Bench()
    bench.passes()
    bench.world.fails = [bench.world.calls + 1]

    assert bench.verifies().problems == ("away for a moment",)


def test_what_was_compared_ahead_is_not_compared_again() -> None:
    bench = Bench()
    bench.passes()
    for key in ("00003", "00004"):
        bench.world.versions[key] = bench.world.read + 1
    bench.world.read += 1

    async def both() -> tuple[Verified, Verified]:
        verifier = HotVerifier(lambda _domain, _owner: bench.looker, bench.books)
        without = await verifier.verify("orders", Side.LEGACY, within_s=60.0)
        await verifier.ready("orders", Side.LEGACY)
        return without, await verifier.verify("orders", Side.LEGACY, within_s=60.0)

    without, ahead = asyncio.run(both())

    assert without.compared >= 2
    assert ahead.compared == 0
    assert ahead.problems == ()


def test_what_differed_ahead_of_a_flip_is_compared_again() -> None:
    bench = Bench()
    bench.passes()
    as_other(bench.world, "00004", doc("00004", 700))
    bench.world.versions["00004"] = bench.world.read + 1
    bench.world.read += 1

    async def both() -> Verified:
        verifier = HotVerifier(lambda _domain, _owner: bench.looker, bench.books)
        await verifier.ready("orders", Side.LEGACY)
        return await verifier.verify("orders", Side.LEGACY, within_s=60.0)

    found = asyncio.run(both())

    assert found.compared == 1
    assert len(found.problems) == 1


def test_what_waits_while_all_else_is_compared_ahead_is_compared_when_it_came() -> None:
    bench = Bench()
    bench.passes()
    late = bench.world.read + 1
    bench.world.read += 2
    bench.world.dirty["00004"] = late
    bench.world.parked.add("00004")

    async def both() -> Verified:
        verifier = HotVerifier(lambda _domain, _owner: bench.looker, bench.books)
        await verifier.ready("orders", Side.LEGACY)
        as_other(bench.world, "00004", doc("00004", 700))
        bench.world.versions["00004"] = late
        bench.world.dirty.clear()
        return await verifier.verify("orders", Side.LEGACY, within_s=60.0)

    found = asyncio.run(both())

    assert len(found.problems) == 1
