"""The engine between two toy stores: what one side's owner wrote is on the other side, once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.rows import Row
from legacy_adapters.mapping.versions import NOBODY, Version
from new_core.domain.identity import core_id
from tests.fakes.toy_kinds import SYSTEM, Doc, Part
from tests.fakes.toy_shop import ADDRESS, BILLING, CUSTOMER, LINE, OPTION, ORDER, VISIT
from tests.support.toy_world import FIRST_OWN, FORWARD, REVERSE, World, make_template, world

pytestmark = pytest.mark.integration

Work = Callable[[World], Awaitable[None]]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "core.sqlite3"
    asyncio.run(make_template(file))
    return file


@pytest.fixture
def within(template: Path, tmp_path: Path) -> Callable[[Work], None]:
    def run(work: Work) -> None:
        async def inside() -> None:
            async with world(template, tmp_path) as made:
                await work(made)

        asyncio.run(inside())

    return run


Within = Callable[[Work], None]


def customer(key: int, name: str = "Ann") -> Row:
    return {"id": key, "name": name}


def order(key: int, who: int | None = None, bill: int | None = None, memo: str = "") -> Row:
    return {"id": key, "customer_id": who, "billing_id": bill, "total": 5, "memo": memo}


def line(key: int, of: int, quantity: int = 1) -> Row:
    return {"id": key, "order_id": of, "what": "book", "quantity": quantity}


def whole_order(w: World) -> None:
    w.legacy.write(
        (CUSTOMER, "1", customer(1)),
        (ADDRESS, "4", {"id": 4, "customer_id": 1, "street": "Hill 1"}),
        (BILLING, "8", {"id": 8, "street": "Hill 2"}),
        (ORDER, "5", order(5, who=1, bill=8, memo="call first")),
        (LINE, "3", line(3, of=5)),
        (OPTION, "7", {"id": 7, "line_id": 3, "word": "red"}),
    )


def order_id(key: int) -> UUID:
    return core_id(SYSTEM, "order", key)


def test_what_the_legacy_wrote_is_in_the_core(within: Within) -> None:
    async def work(w: World) -> None:
        whole_order(w)

        await w.settle()

        assert await w.held() == await w.mapped()
        assert len(await w.core.docs("order")) == 1

    within(work)


def test_what_the_legacy_deleted_is_gone_from_the_core(within: Within) -> None:
    async def work(w: World) -> None:
        whole_order(w)
        await w.settle()
        w.legacy.write((OPTION, "7", None), (LINE, "3", None), (ORDER, "5", None))

        await w.settle()

        assert await w.core.docs("order") == {}
        assert len(await w.core.docs("customer")) == 1

    within(work)


def test_an_aggregate_waits_for_what_it_points_at_while_others_go_on(within: Within) -> None:
    async def work(w: World) -> None:
        w.legacy.write((ORDER, "5", order(5, who=1)))
        w.legacy.write((ORDER, "6", order(6)))
        await w.live()
        before = set(await w.core.docs("order"))
        w.legacy.write((CUSTOMER, "1", customer(1)))

        await w.settle()

        assert before == {order_id(6)}
        assert await w.held() == await w.mapped()

    within(work)


def test_one_that_cannot_be_read_is_parked_with_its_reason_until_it_changes(
    within: Within,
) -> None:
    async def work(w: World) -> None:
        w.legacy.write((CUSTOMER, "1", customer(1, "bad")))
        w.legacy.write((CUSTOMER, "2", customer(2)))
        await w.settle()
        parked = await w.stage.parked(10)
        w.legacy.write((CUSTOMER, "1", customer(1, "good")))

        await w.settle()

        assert [(one.key.key, one.reason) for one in parked] == [("1", "shop_customer.text is bad")]
        assert await w.stage.parked(10) == []
        assert await w.held() == await w.mapped()

    within(work)


def test_one_that_breaks_a_whole_batch_is_found_and_the_others_get_through(
    within: Within,
) -> None:
    async def work(w: World) -> None:
        names = ["poison" if key == 13 else "Ann" for key in range(40)]
        w.legacy.write(
            *[(CUSTOMER, str(key), customer(key, name)) for key, name in enumerate(names)]
        )

        await w.settle()

        assert len(await w.core.docs("customer")) == 39
        assert [one.key.key for one in await w.stage.parked(10)] == ["13"]

    within(work)


def test_a_barrier_stands_when_all_before_the_fence_is_across_and_not_before(
    within: Within,
) -> None:
    async def work(w: World) -> None:
        await w.settle()
        w.legacy.write((CUSTOMER, "1", customer(1, "bad")))
        w.legacy.log.fence("people", NOBODY, 2)
        await w.settle()
        held_up = w.core.applied_to.get((FORWARD, "people"), (0, 0, 0))[1]
        w.legacy.log.fence("people", "legacy", 3)
        w.legacy.write((CUSTOMER, "1", customer(1, "good")))
        w.legacy.log.fence("people", NOBODY, 4)

        await w.settle()

        assert held_up == 0
        assert w.core.applied_to[FORWARD, "people"][1] == 4
        assert await w.held() == await w.mapped()

    within(work)


def test_after_a_flip_what_the_core_wrote_is_in_the_legacy_with_what_only_that_holds(
    within: Within,
) -> None:
    async def work(w: World) -> None:
        whole_order(w)
        await w.settle()
        assert await w.flip("people")
        assert await w.flip("sales")
        doc = (await w.core.docs("order"))[order_id(5)]
        new = Part(UUID(int=9), "pen:2")

        await w.core.write("order", msgspec.structs.replace(doc, text="77", parts=(new,)))
        await w.settle()

        tables = w.legacy.tables
        assert tables["shop_order"]["5"] == {**order(5, 1, 8, "call first"), "total": 77}
        assert [one["what"] for one in tables["shop_line"].values()] == ["pen"]
        assert tables["shop_option"] == {}
        assert int(str(next(iter(tables["shop_line"])))) >= FIRST_OWN

    within(work)


def test_what_was_born_in_the_core_is_changed_and_deleted_in_the_legacy_too(
    within: Within,
) -> None:
    async def work(w: World) -> None:
        await w.settle()
        assert await w.flip("people")
        doc = Doc(UUID(int=7), "Bea", parts=(Part(UUID(int=8), "Lane"),))
        await w.core.write("customer", doc)
        await w.settle()
        born = {name: len(rows) for name, rows in w.legacy.tables.items()}
        await w.core.write("customer", gone=[doc.id])

        await w.settle()

        assert born == {"shop_customer": 1, "shop_address": 1}
        assert w.legacy.tables == {"shop_customer": {}, "shop_address": {}}

    within(work)


def test_nothing_comes_back_as_an_echo(within: Within) -> None:
    async def work(w: World) -> None:
        whole_order(w)
        await w.settle()
        assert await w.flip("people")
        assert await w.flip("sales")
        await w.core.write("customer", Doc(UUID(int=7), "Bea"))
        await w.settle()
        before = len(w.legacy.log.commits), len(w.core.log.commits)

        for _ in range(4):
            await w.live()

        assert (len(w.legacy.log.commits), len(w.core.log.commits)) == before

    within(work)


def test_a_write_by_who_does_not_own_is_told_and_not_carried_across(within: Within) -> None:
    async def work(w: World) -> None:
        await w.settle()
        assert await w.flip("people")
        await w.settle()

        w.legacy.write((CUSTOMER, "9", customer(9, "Mallory")))
        await w.settle()

        found = await w.stage.rogues(10)
        assert [(one.side, one.table, one.key) for one in found] == [
            ("legacy", "shop_customer", "9")
        ]
        assert await w.core.docs("customer") == {}
        assert len(await w.staged("customer", 9)) == 1

    within(work)


def test_what_a_store_writes_into_a_table_without_a_fence_is_nobodys(within: Within) -> None:
    async def work(w: World) -> None:
        await w.settle()
        assert await w.flip("sales")

        w.legacy.write((VISIT, "1", {"id": 1, "seen": "home"}))
        await w.settle()

        assert await w.stage.rogues(10) == []
        assert await w.core.docs("visit") == {}

    within(work)


def test_what_was_written_without_a_fence_while_nobody_owned_comes_with_the_next_term(
    within: Within,
) -> None:
    async def work(w: World) -> None:
        await w.settle()
        w.legacy.log.fence("sales", NOBODY, 2)
        w.legacy.write((VISIT, "1", {"id": 1, "seen": "home"}))
        await w.settle()
        meanwhile = await w.core.docs("visit")

        w.legacy.log.fence("sales", "legacy", 3)
        await w.settle()

        assert meanwhile == {}
        assert len(await w.core.docs("visit")) == 1
        assert await w.held() == await w.mapped()

    within(work)


def test_what_was_written_without_a_fence_while_the_other_side_owned_comes_with_the_way_back(
    within: Within,
) -> None:
    async def work(w: World) -> None:
        await w.settle()
        assert await w.flip("sales")
        w.legacy.write((VISIT, "1", {"id": 1, "seen": "home"}))
        await w.core.write("visit", Doc(UUID(int=3), "cart"))
        await w.settle()

        assert await w.flip("sales")
        await w.settle()

        assert {one.text for one in (await w.core.docs("visit")).values()} == {"home", "cart"}
        assert len(w.legacy.tables["shop_visit"]) == 2

    within(work)


def test_a_barrier_does_not_wait_for_what_is_written_without_a_fence(within: Within) -> None:
    async def work(w: World) -> None:
        await w.settle()
        w.legacy.log.fence("sales", NOBODY, 2)
        w.legacy.write((VISIT, "1", {"id": 1, "seen": "home"}))

        await w.settle()

        assert w.core.applied_to[FORWARD, "sales"][1] == 2

    within(work)


def test_a_table_that_was_emptied_takes_its_aggregates_along(within: Within) -> None:
    async def work(w: World) -> None:
        whole_order(w)
        await w.settle()
        w.legacy.tables["shop_customer"].clear()
        w.legacy.log.commit([], truncated=("shop_customer",))
        w.legacy.write((CUSTOMER, "2", customer(2)))
        await w.settle()

        late = await w.stage.deliver(CUSTOMER, [customer(77)], Version(1, 5))

        assert set(await w.core.docs("customer")) == {core_id(SYSTEM, "customer", 2)}
        assert late == 0

    within(work)


def test_an_altered_table_parks_its_aggregates_until_somebody_accepts_it(within: Within) -> None:
    async def work(w: World) -> None:
        w.legacy.log.prints = {"shop_address": "one", "shop_order": "one"}
        whole_order(w)
        await w.settle()
        w.legacy.log.prints = {"shop_address": "two", "shop_order": "one"}
        w.legacy.log.commit([], altered=("shop_address",))
        w.legacy.write((CUSTOMER, "1", customer(1, "New")), (ORDER, "6", order(6)))
        await w.settle()
        parked = [one.key for one in await w.stage.parked(10)]
        found = await w.books.checkpoint(FORWARD)
        assert found is not None

        assert parked == [AggregateKey("customer", "1")]
        assert "shop_address" in found.problem
        assert order_id(6) in await w.core.docs("order")
        assert await w.books.accept(FORWARD, "shop_address")
        w.begin()
        await w.books.rouse(FORWARD, "people", w.hands.now(), 10, everything=True)
        await w.settle()
        assert await w.stage.parked(10) == []
        assert await w.held() == await w.mapped()

    within(work)


async def altered_world(w: World) -> None:
    """A table was altered, and an aggregate of it is parked."""
    w.legacy.log.prints = {"shop_address": "one"}
    whole_order(w)
    await w.settle()
    w.legacy.log.prints = {"shop_address": "two"}
    w.legacy.log.commit([], altered=("shop_address",))
    w.legacy.write((CUSTOMER, "1", customer(1, "New")))
    await w.settle()
    assert [one.key for one in await w.stage.parked(10)] == [AggregateKey("customer", "1")]


def test_an_accepted_table_is_good_for_appliers_that_run_and_have_heard_of_nothing_else(
    within: Within,
) -> None:
    async def work(w: World) -> None:
        await altered_world(w)

        await w.books.accept(FORWARD, "shop_address")
        await w.books.rouse(FORWARD, "people", w.hands.now(), 10, everything=True)
        for one in w.appliers:
            await one.round()

        assert await w.stage.parked(10) == []
        assert await w.held() == await w.mapped()

    within(work)


def test_a_stream_that_reads_on_soon_tells_no_more_of_a_table_that_was_accepted(
    within: Within,
) -> None:
    async def work(w: World) -> None:
        await altered_world(w)
        w.legacy.log.batch = 1
        for name in ("A", "B"):
            w.legacy.write((CUSTOMER, "2", customer(2, name)))
        told: list[str] = []

        async def between() -> None:
            found = await w.books.checkpoint(FORWARD)
            assert found is not None
            told.append(found.problem)
            await w.books.accept(FORWARD, "shop_address")
            w.hands.pass_by(3.0)

        w.legacy.log.behind_each = between
        await w.streams[FORWARD].run()

        assert "shop_address" in told[0]
        assert told[-1] == ""

    within(work)


def test_what_was_parked_while_somebody_accepted_the_table_is_tried_again(within: Within) -> None:
    async def work(w: World) -> None:
        await altered_world(w)

        await w.books.accept(FORWARD, "shop_address")
        await w.settle()
        await w.settle()

        assert await w.stage.parked(10) == []
        assert await w.held() == await w.mapped()

    within(work)


def test_what_is_touched_is_projected_anew_by_its_owner_alone(within: Within) -> None:
    async def work(w: World) -> None:
        whole_order(w)
        await w.settle()
        key = AggregateKey("order", "5")
        await w.core.write("order", Doc(order_id(5), "0"))  # a rogue write, to be repaired
        await w.settle()

        touched = await w.stage.touch(FORWARD, [key], "repair")
        refused = await w.stage.touch(REVERSE, [AggregateKey("order", str(order_id(5)))], "repair")
        await w.settle()

        assert (touched, refused) == (1, 0)
        assert await w.held() == await w.mapped()

    within(work)


def test_a_domain_without_a_fence_row_is_told_and_not_left_out_silently(within: Within) -> None:
    async def work(w: World) -> None:
        del w.legacy.log.fences["sales"]
        whole_order(w)
        await w.settle()

        found = await w.books.checkpoint(FORWARD)

        assert found is not None
        assert found.problem.startswith("unfenced: sales")
        assert await w.core.docs("order") == {}
        assert len(await w.core.docs("customer")) == 1

    within(work)
