"""The stage finds out whose a row is, in whatever order rows come, on both databases."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import pytest

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.landing import Landing
from legacy_adapters.mapping.rows import Row
from legacy_adapters.mapping.versions import Version
from legacy_adapters.storage import upgrade_sync
from legacy_adapters.storage.stage import SqlStage
from legacy_adapters.storage.stage_rows import StageRows
from legacy_adapters.storage.stage_taking import Taken, Taking
from legacy_adapters.storage.streams_sessions import Sessions
from new_core.storage import make_engine
from tests.fakes.toy_shop import (
    ADDRESS,
    BILLING,
    CUSTOMER,
    HOMES,
    LINE,
    OF_KIND,
    OPTION,
    ORDER,
    TABLES,
)
from tests.support.databases import database_of

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FORWARD = "legacy>core"
Rows = Mapping[tuple[str, int], Row]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database_of(request, tmp_path_factory) as found:
        yield found


class House:
    """A stage on an empty database."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        self.sessions = Sessions(self.engine)
        self.stage = SqlStage(self.engine, HOMES, OF_KIND, lambda: NOW)

    async def take(self, *landings: Landing) -> Taken:
        async with self.sessions.writing() as bulk:
            return await Taking(StageRows(bulk), HOMES).take(landings)


def within(url: str, work: Callable[[House], Awaitable[None]]) -> None:
    async def run() -> None:
        house = House(url)
        try:
            await upgrade_sync(house.engine)
            async with house.sessions.writing() as bulk:
                for table in ("mig_stage", "mig_claim", "mig_dirty", "mig_checkpoint"):
                    await bulk.plain(f"DELETE FROM {table}")  # noqa: S608 - own names
            await work(house)
        finally:
            await house.engine.dispose()

    asyncio.run(run())


def land(table: str, key: int, row: Row | None, order: int, before: Row | None = None) -> Landing:
    return Landing(table, str(key), row, before, Version(1, order), is_dirtying=True)


def order(key: int, billing: int | None = None, memo: str = "") -> Row:
    return {"id": key, "customer_id": 1, "billing_id": billing, "total": 5, "memo": memo}


def line(key: int, of: int) -> Row:
    return {"id": key, "order_id": of, "what": "book", "quantity": 1}


def option(key: int, of: int | None) -> Row:
    return {"id": key, "line_id": of, "word": "red"}


def keys(*found: str) -> set[AggregateKey]:
    return {AggregateKey("order", one) for one in found}


def test_a_row_whose_parent_is_not_there_yet_is_claimed_when_it_comes(url: str) -> None:
    async def work(house: House) -> None:
        early = await house.take(land("shop_option", 7, option(7, of=3), 1))
        late = await house.take(land("shop_line", 3, line(3, of=5), 2))
        await house.take(land("shop_order", 5, order(5), 3))

        assert early.marks.keys() == set()
        assert late.marks.keys() == keys("5")
        found = await house.stage.rows(keys("5"))
        assert found[AggregateKey("order", "5")]["shop_option"] == (option(7, of=3),)

    within(url, work)


def test_a_pointed_row_belongs_to_the_one_that_points_at_it_whichever_came_first(url: str) -> None:
    async def work(house: House) -> None:
        await house.take(land("shop_billing", 1, {"id": 1, "street": "a"}, 1))
        await house.take(land("shop_order", 5, order(5, billing=1), 2))
        await house.take(land("shop_order", 6, order(6, billing=2), 3))
        late = await house.take(land("shop_billing", 2, {"id": 2, "street": "b"}, 4))

        found = await house.stage.rows(keys("5", "6"))

        assert late.marks.keys() == keys("6")
        assert [one["shop_billing"][0]["id"] for _, one in sorted(found.items())] == [1, 2]

    within(url, work)


def test_a_row_that_moves_dirties_both_aggregates_and_takes_what_hangs_on_it_along(
    url: str,
) -> None:
    async def work(house: House) -> None:
        await house.take(
            land("shop_order", 5, order(5), 1), land("shop_order", 6, order(6), 1),
            land("shop_line", 3, line(3, of=5), 1), land("shop_option", 7, option(7, of=3), 1),
        )  # fmt: skip

        taken = await house.take(land("shop_line", 3, line(3, of=6), 2))

        found = await house.stage.rows(keys("5", "6"))
        assert taken.marks.keys() == keys("5", "6")
        assert found[AggregateKey("order", "5")].keys() == {"shop_order"}
        assert found[AggregateKey("order", "6")].keys() >= {"shop_line", "shop_option"}

    within(url, work)


def test_an_older_row_changes_nothing_and_a_tombstone_is_not_brought_back(url: str) -> None:
    async def work(house: House) -> None:
        await house.take(land("shop_order", 5, None, 9))
        stale = await house.take(land("shop_order", 5, order(5), 8))
        delivered = await house.stage.deliver(ORDER, [order(5)], Version(1, 7))

        assert (stale.count, delivered) == (0, 0)
        assert await house.stage.rows(keys("5")) == {}

    within(url, work)


def test_a_deleted_row_whose_owner_was_never_seen_dirties_whom_it_named(url: str) -> None:
    async def work(house: House) -> None:
        taken = await house.take(land("shop_line", 3, None, 2, before=line(3, of=5)))

        assert taken.marks.keys() == keys("5")

    within(url, work)


def test_delivered_rows_make_their_aggregates_wait(url: str) -> None:
    async def work(house: House) -> None:
        await house.stage.deliver(ORDER, [order(5), order(6)], Version(1, 7))

        waiting = await house.stage.waiting(FORWARD, "sales")
        still = await house.stage.still_waiting(FORWARD, keys("5", "9"))

        assert (waiting.dirty, waiting.parked, waiting.oldest) == (2, 0, 7)
        assert still == keys("5")

    within(url, work)


@pytest.mark.parametrize("seed", range(6))
def test_the_stage_groups_rows_as_a_look_at_the_whole_shop_would(url: str, seed: int) -> None:
    """Rows of random changes come shuffled, some twice; old ones must not win."""
    dice = random.Random(seed)
    shop: dict[tuple[str, int], Row] = {}
    log: list[Landing] = []
    for at in range(1, 160):
        name, key = dice.choice(sorted(TABLES)), dice.randrange(1, 5)
        before = shop.pop((name, key), None)
        row = None if before is not None and dice.random() < 0.3 else _random_row(dice, name, key)
        if row is not None:
            shop[name, key] = row
        log.append(land(name, key, row, at, before))
    deliveries = [*log, *dice.sample(log, 40)]
    dice.shuffle(deliveries)

    async def work(house: House) -> None:
        rest = deliveries
        while rest:
            size = dice.randrange(1, 20)
            await house.take(*rest[:size])
            rest = rest[size:]
        expected = _grouped(shop)
        everyone = [AggregateKey(kind, str(key)) for kind in OF_KIND for key in range(1, 5)]

        found = await house.stage.rows(everyone)

        assert {k: dict(v) for k, v in found.items()} == expected

    within(url, work)


def _random_row(dice: random.Random, name: str, key: int) -> Row:
    some = dice.choice([None, 1, 2, 3, 4])
    rows: Mapping[str, Row] = {
        CUSTOMER.name: {"id": key, "name": str(dice.random())},
        ADDRESS.name: {"id": key, "customer_id": some, "street": str(dice.random())},
        # One order each points at a billing address: a row is of one aggregate at most.
        ORDER.name: order(key, key if some else None, str(dice.random())),
        LINE.name: line(key, dice.randrange(1, 5)),
        OPTION.name: option(key, some),
        BILLING.name: {"id": key, "street": str(dice.random())},
        "shop_visit": {"id": key, "seen": str(dice.random())},
    }
    return rows[name]


def _grouped(shop: Rows) -> dict[AggregateKey, dict[str, tuple[Row, ...]]]:
    grouped: dict[AggregateKey, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for (name, key), row in sorted(shop.items()):
        owner = _owner(shop, name, key, row)
        if owner is not None:
            grouped[AggregateKey(HOMES[name].kind, str(owner))][name].append(row)
    roots = {"customer": "shop_customer", "order": "shop_order", "visit": "shop_visit"}
    return {
        key: {name: tuple(rows) for name, rows in tables.items()}
        for key, tables in grouped.items()
        if (roots[key.kind], int(key.key)) in shop
    }


def _owner(shop: Rows, name: str, key: int, row: Row) -> object:
    if name == "shop_address":
        return row["customer_id"]
    if name == "shop_line":
        return row["order_id"]
    if name == "shop_option":
        holder = shop.get(("shop_line", int(str(row["line_id"] or 0))))
        return holder["order_id"] if holder else None
    if name == "shop_billing":
        named: Sequence[object] = [
            one["id"] for (table, _), one in shop.items()
            if table == "shop_order" and one["billing_id"] == key
        ]  # fmt: skip
        return named[0] if named else None
    return key
