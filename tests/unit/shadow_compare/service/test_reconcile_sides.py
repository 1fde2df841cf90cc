"""What is read of both sides, whoever owns, and that a pass over them finds what is seeded."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.versions import Side
from shadow_compare.core.drift_class import DriftClass
from shadow_compare.core.drift_plan import Allowed
from shadow_compare.core.drift_record import DriftState
from shadow_compare.core.drift_sample import hidden
from shadow_compare.core.reconcile_judge import unnamed
from shadow_compare.core.reconcile_pass import PassKind, PassRecord, Tally
from shadow_compare.core.reconcile_rounds import Patience
from shadow_compare.errors import SidesUnavailable
from shadow_compare.service.reconciling import PassWish, Reconciler
from shadow_compare.service.reconciling_core_owned import CoreOwned
from shadow_compare.service.reconciling_legacy_owned import LegacyOwned
from shadow_compare.service.reconciling_looks import Looker
from shadow_compare.service.reconciling_stretch import Way
from shadow_compare.service.repairing import Repaired, Repairer, RepairWish
from tests.fakes.reconcile_books import MemoryReconcileBooks
from tests.support.reconcile_simulation import Clock
from tests.support.reconcile_toy import Order, Toy, id_of


class Quiet:
    """Watches nothing."""

    def begin(self, record: PassRecord) -> None: ...
    def moved(self, tally: Tally) -> None: ...


class Bench:
    """A toy, and passes over its orders."""

    def __init__(self, owner: Side = Side.LEGACY, *, orders: int = 3) -> None:
        self.toy = Toy(orders)
        if owner is Side.CORE:
            self.toy.legacy_versions.known = dict(self.toy.core_versions.known)
        self.toy.order = 50
        of = LegacyOwned if owner is Side.LEGACY else CoreOwned
        self.sides = of("sales", self.toy.of("sales"), self.toy.stores(), self.toy.kinds)
        self.clock = Clock()
        self.books = MemoryReconcileBooks(self.clock)
        self.looker = Looker(self.sides, self.clock, self.clock, hidden, sleep=self.clock.sleep)

    def passes(self, *, workers: int = 1) -> dict[str, DriftClass]:
        way = Way(Patience(0.1, 1.0, 4, 0.1), chunk=2, lease_s=0.0)
        run = Reconciler(self.looker, self.books, way, Quiet()).run
        wish = PassWish(f"p{len(self.books.passes)}", PassKind.FULL, "here", workers)
        self.ended = asyncio.run(run(wish))
        return {
            one.key: one.drift for one in self.books.known.values() if one.state is DriftState.OPEN
        }

    def repairs(self) -> Repaired:
        wish = RepairWish("r", "ada", Allowed(None, "a test"))
        return asyncio.run(Repairer(self.looker, self.books).apply(wish))

    def core(self, key: str, **fields: Any) -> None:
        """Change a document of the core behind everybody's back."""
        held = self.toy.orders.held
        held[id_of("order", key)] = msgspec.structs.replace(held[id_of("order", key)], **fields)


def order_id(key: str) -> str:
    return str(id_of("order", key))


@pytest.mark.parametrize("owner", list(Side))
@pytest.mark.parametrize("workers", [1, 3])
def test_equal_sides_are_equal(owner: Side, workers: int) -> None:
    bench = Bench(owner, orders=7)

    assert bench.passes(workers=workers) == {}
    assert bench.ended.is_clean
    assert bench.ended.tally.checked == 7


def test_rows_of_an_order_are_counted() -> None:
    bench = Bench(orders=2)

    bench.passes()

    assert bench.ended.tally.rows == 2 * 5


def test_a_chunk_takes_one_statement_for_each_table() -> None:
    bench = Bench(orders=40)

    async def read() -> int:
        async with bench.sides.view() as view:
            await view.page("order", None, 40)
            assert bench.toy.last is not None
            return bench.toy.last.statements

    assert asyncio.run(read()) == 3


def test_what_was_seeded_at_the_core_is_found() -> None:
    bench = Bench(orders=9)
    bench.core("2", total_minor=1_900)
    bench.core("3", street="Weg  3 ")
    del bench.toy.orders.held[id_of("order", "4")]
    bench.core("5", total_minor=1_001)
    bench.toy.is_rogue(Side.CORE, "core_order", order_id("6"))
    bench.core("6", total_minor=5)
    bench.toy.breaks("7")

    assert bench.passes() == {
        "2": DriftClass.VALUE,
        "3": DriftClass.VALUE,
        "4": DriftClass.MISSING_CORE,
        "5": DriftClass.PRECISION,
        "6": DriftClass.ROGUE_WRITE,
        "7": DriftClass.UNMAPPED,
    }


def test_a_line_whose_event_was_lost_is_stale() -> None:
    bench = Bench()
    bench.toy.rows["shop_line"]["4"] = {**bench.toy.rows["shop_line"]["4"], "what": "coffee"}

    assert bench.passes() == {"2": DriftClass.STALE}


def test_a_lost_event_of_a_column_that_is_not_mapped_is_stale() -> None:
    bench = Bench()
    bench.toy.rows["shop_order"]["2"] = {**bench.toy.rows["shop_order"]["2"], "memo": "new"}

    assert bench.passes() == {"2": DriftClass.STALE}
    assert bench.repairs().left == ()
    assert bench.passes() == {}


def test_an_order_that_was_deleted_without_an_event_is_extra() -> None:
    bench = Bench()
    del bench.toy.rows["shop_order"]["2"]

    assert bench.passes() == {"2": DriftClass.EXTRA_CORE}


def test_what_the_core_made_by_itself_has_no_key_of_the_owner() -> None:
    bench = Bench()
    made = id_of("order", "nobody's")
    bench.toy.orders.held[made] = Order(made, made, 5, None, ())

    assert bench.passes() == {unnamed(made): DriftClass.EXTRA_CORE}
    assert bench.repairs().plan.beyond


def test_an_order_that_is_missing_with_its_customer_is_an_orphan() -> None:
    bench = Bench()
    del bench.toy.orders.held[id_of("order", "2")]
    bench.toy.customers.held.clear()

    assert bench.passes() == {"2": DriftClass.ORPHAN}


def test_an_id_that_belongs_to_another_order_is_told() -> None:
    bench = Bench()
    del bench.toy.refs.known["order", "2"]
    bench.toy.refs.known["order", "9"] = id_of("order", "2")
    bench.core("2", total_minor=7)

    assert bench.passes()["2"] is DriftClass.DUP_ID


def test_a_name_of_another_kind_is_no_other_order() -> None:
    bench = Bench()
    bench.toy.refs.known["parcel", "9"] = id_of("order", "2")
    bench.core("2", total_minor=7)

    assert bench.passes() == {"2": DriftClass.VALUE}


def test_a_repair_stages_fresh_rows_and_buries_what_is_gone() -> None:
    bench = Bench()
    del bench.toy.rows["shop_order"]["1"]
    del bench.toy.rows["shop_line"]["5"]
    bench.toy.rows["shop_line"]["6"] = {**bench.toy.rows["shop_line"]["6"], "what": "coffee"}
    before = set(bench.passes().values())

    done = bench.repairs()

    assert before == {DriftClass.EXTRA_CORE, DriftClass.STALE}
    assert done.left == ()
    assert bench.passes() == {}
    assert AggregateKey("order", "1") not in {
        key for key, rows in bench.toy.stage.rows_of.items() if rows
    }


def test_a_legacy_that_is_away_is_said_so() -> None:
    bench = Bench()
    bench.toy.legacy.is_away = True

    with pytest.raises(SidesUnavailable):
        bench.passes()


def test_what_the_legacy_lacks_while_the_core_owns_is_missing_there() -> None:
    bench = Bench(Side.CORE)
    del bench.toy.rows["shop_order"]["2"]

    assert bench.passes() == {order_id("2"): DriftClass.MISSING_LEGACY}


def test_what_the_legacy_has_too_much_while_the_core_owns_is_extra_there() -> None:
    bench = Bench(Side.CORE)
    del bench.toy.orders.held[id_of("order", "2")]

    assert bench.passes() == {order_id("2"): DriftClass.EXTRA_LEGACY}


def test_rows_that_differ_while_the_core_owns_are_told_by_their_fields() -> None:
    bench = Bench(Side.CORE)
    bench.toy.rows["shop_order"]["2"] = {**bench.toy.rows["shop_order"]["2"], "total": 7}
    bench.toy.breaks("3")

    assert bench.passes() == {
        order_id("2"): DriftClass.VALUE,
        order_id("3"): DriftClass.VALUE,
    }


def test_somebody_who_wrote_to_the_legacy_while_the_core_owns_is_a_rogue() -> None:
    bench = Bench(Side.CORE)
    bench.toy.rows["shop_order"]["2"] = {**bench.toy.rows["shop_order"]["2"], "total": 7}
    bench.toy.is_rogue(Side.LEGACY, "shop_order", "2")

    assert bench.passes() == {order_id("2"): DriftClass.ROGUE_WRITE}
