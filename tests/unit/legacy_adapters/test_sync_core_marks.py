"""Whose a changed row of the core is: told by the batch where it can, else asked."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from legacy_adapters.mapping.landing import Emptied, Landing, Step
from legacy_adapters.mapping.rows import Row, Table
from legacy_adapters.mapping.versions import Position, Version
from legacy_adapters.service.streaming_core import CoreMarks
from tests.fakes.toy_shop import HOMES

AT = Version(3, 7)


class Shop:
    """Answers from its tables, once it was waited for."""

    def __init__(self, **tables: Mapping[str, Row]) -> None:
        self.tables = tables
        self.waited: list[set[str]] = []

    async def settled(self, names: Collection[str]) -> None:
        self.waited.append(set(names))

    async def column(
        self, table: Table, column: str, keys: Collection[str]
    ) -> Mapping[str, str | None]:
        assert self.waited
        rows = self.tables.get(table.name, {})
        return {key: str(rows[key][column]) for key in keys if key in rows}

    async def naming(
        self, table: Table, column: str, values: Collection[str]
    ) -> Mapping[str, Sequence[str]]:
        assert self.waited
        rows = self.tables.get(table.name, {})
        return {v: [k for k, row in rows.items() if str(row[column]) == v] for v in values}


def marked(shop: Shop, *landings: Landing, emptied: tuple[Emptied, ...] = ()) -> set[str]:
    async def every(kind: str) -> Collection[str]:
        return ["1", "2"]

    marks = CoreMarks(HOMES, shop, shop, every)
    step = Step("core>legacy", None, Position(7), {}, None, landings, emptied)
    found = asyncio.run(marks(step))
    assert (found.landings, found.emptied) == ((), ())
    assert all(one.version == AT for one in found.marks)
    return {f"{one.key.kind} {one.key.key}" for one in found.marks}


def land(table: str, key: str, row: Row | None, before: Row | None = None) -> Landing:
    return Landing(table, key, row, before, AT, is_dirtying=True, name="t7")


def test_a_row_that_names_its_root_is_not_asked_about() -> None:
    shop = Shop()

    found = marked(shop, land("shop_line", "3", {"order_id": 5}, {"order_id": 4}))

    assert found == {"order 5", "order 4"}
    assert shop.waited == []


def test_a_row_deeper_down_goes_up_through_the_core_once_its_commit_is_seen() -> None:
    shop = Shop(shop_line={"3": {"order_id": 5}})

    found = marked(shop, land("shop_option", "7", {"line_id": 3}))

    assert found == {"order 5"}
    assert shop.waited == [{"t7"}]


def test_a_row_deeper_down_whose_parent_went_with_it_is_told_by_the_batch() -> None:
    gone = land("shop_line", "3", None, {"order_id": 5})

    found = marked(Shop(), land("shop_option", "7", None, {"line_id": 3}), gone)

    assert found == {"order 5"}


def test_a_pointed_row_is_of_whoever_points_or_pointed_at_it() -> None:
    shop = Shop(shop_order={"5": {"billing_id": 8}})
    moved = land("shop_order", "6", {"billing_id": None}, {"billing_id": 8})

    found = marked(shop, land("shop_billing", "8", {"street": "x"}), moved)

    assert found == {"order 5", "order 6"}


def test_a_table_that_was_emptied_marks_all_of_its_kind() -> None:
    found = marked(Shop(), emptied=(Emptied("shop_line", AT, is_dirtying=True),))

    assert found == {"order 1", "order 2"}


def test_what_the_replicator_wrote_marks_nothing() -> None:
    own = Landing("shop_order", "5", {"id": 5}, None, AT, is_dirtying=False)

    assert marked(Shop(), own) == set()
