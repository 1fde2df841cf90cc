"""Baskets go to the core as carts, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows
from legacy_adapters.mapping.rows import Row
from legacy_adapters.oscar.mapping.records import oscar_id
from legacy_adapters.oscar.mapping.sync_cart import CartDocument, CartTranslation
from legacy_adapters.oscar.mapping.sync_cart_lines import CartLine
from new_core.domain.cart import CartState

CARTS = CartTranslation()
WHEN, LATER = "2024-01-02T03:04:05.678900Z", "2024-01-03T03:04:05.000000Z"


def basket(**changed: Any) -> Row:
    whole: dict[str, Any] = {
        "id": 4, "status": "Open", "date_created": WHEN, "date_merged": None,
        "date_submitted": None, "owner_id": None,
    }  # fmt: skip
    return whole | changed


def line(**changed: Any) -> Row:
    whole: dict[str, Any] = {
        "id": 11, "line_reference": "7_5", "quantity": 2, "price_currency": "GBP",
        "price_excl_tax": "9.99", "price_incl_tax": "9.99", "date_created": LATER,
        "basket_id": 4, "product_id": 7, "stockrecord_id": 5, "date_updated": LATER,
        "tax_code": None,
    }  # fmt: skip
    return whole | changed


def attribute(**changed: Any) -> Row:
    whole: dict[str, Any] = {"id": 21, "line_id": 11, "option_id": 3, "value": '"To Ada"'}
    return whole | changed


def rows_of(
    root: Row,
    lines: tuple[Row, ...] = (),
    attributes: tuple[Row, ...] = (),
    vouchers: tuple[Row, ...] = (),
) -> AggregateRows:
    return {
        "basket_basket": (root,), "basket_line": lines, "basket_lineattribute": attributes,
        "basket_basket_vouchers": vouchers,
    }  # fmt: skip


@st.composite
def baskets(draw: st.DrawFn) -> AggregateRows:
    keys = sorted(draw(st.sets(st.integers(1, 10**6), max_size=5)))
    lines = tuple(
        line(
            id=key,
            line_reference=f"ref_{key}",
            quantity=draw(st.integers(0, 1000)),
            date_created=draw(st.sampled_from([WHEN, LATER])),
            product_id=draw(st.integers(1, 3)),
            stockrecord_id=draw(st.integers(1, 3)),
        )
        for key in keys
    )
    said = draw(st.lists(st.tuples(st.sampled_from(keys), values), max_size=4)) if keys else []
    attributes = tuple(
        attribute(id=place + 1, line_id=of, option_id=draw(st.integers(1, 2)), value=value)
        for place, (of, value) in enumerate(said)
    )
    codes = sorted(draw(st.sets(st.integers(1, 99), max_size=3)))
    root = basket(
        status=draw(st.sampled_from(["Open", "Saved", "Frozen", "Merged", "Submitted"])),
        owner_id=draw(st.none() | st.integers(1, 99)),
        date_merged=draw(st.sampled_from([None, LATER])),
    )
    vouchers = tuple({"id": one + 100, "basket_id": 4, "voucher_id": one} for one in codes)
    return rows_of(root, lines, attributes, vouchers)


values = st.sampled_from(['"Hi"', '"Größe \\u00e9"', "5", '{"a":1}', "null", '""'])


def numbers(rows: AggregateRows) -> Mapping[UUID, str]:
    known = {oscar_id(what, key): key for what, key in CARTS.refers(rows)}
    return known | {ident: key for (_, key), ident in CARTS.names(rows, {}).items()}


@settings(max_examples=40)
@given(rows=baskets())
def test_a_basket_that_went_to_the_core_comes_back_as_it_was(rows: AggregateRows) -> None:
    doc = CARTS.forward(rows, {})

    assert CARTS.reverse(doc, rows, numbers(rows)) == rows


@settings(max_examples=40)
@given(rows=baskets())
def test_a_basket_that_nobody_remembers_still_means_the_same(rows: AggregateRows) -> None:
    doc = CARTS.forward(rows, {})

    back = CARTS.reverse(doc, {}, numbers(rows))

    assert CARTS.forward(back, {}) == doc


@settings(max_examples=40)
@given(rows=baskets())
def test_all_that_a_cart_writes_down_has_a_number(rows: AggregateRows) -> None:
    doc = CARTS.forward(rows, {})

    owned = {one.id for one in CARTS.owns(doc)}

    assert owned <= set(CARTS.names(rows, {}).values())
    assert {one.id for one in CARTS.points_at(doc)} <= numbers(rows).keys()


def test_lines_of_one_product_are_one_in_a_cart_and_stay_two_while_nothing_changes() -> None:
    two = (line(), line(id=12, line_reference="7_6", stockrecord_id=6, quantity=3))
    rows = rows_of(basket(), two)

    doc = CARTS.forward(rows, {})

    assert [one.quantity for one in doc.lines] == [5]
    assert CARTS.reverse(doc, rows, numbers(rows)) == rows
    fewer = msgspec.structs.replace(doc, lines=(msgspec.structs.replace(doc.lines[0], quantity=4),))
    assert CARTS.reverse(fewer, rows, numbers(rows))["basket_line"] == (line(quantity=4),)


def test_a_line_that_was_added_in_the_core_adds_up_with_what_oscar_puts_in_later() -> None:
    doc = CARTS.forward(rows_of(basket()), {})
    new = CartLine(UUID(int=1), UUID(int=2), UUID(int=3), 2)
    grown = msgspec.structs.replace(doc, lines=(new,), currency="GBP")
    keys = {doc.id: "4", new.id: "1000000001", UUID(int=2): "7", UUID(int=3): "5"}

    (row,) = CARTS.reverse(grown, rows_of(basket()), keys)["basket_line"]

    assert (row["line_reference"], row["stockrecord_id"], row["quantity"]) == ("7_5", 5, 2)
    assert row["price_currency"] == "GBP"


def test_lines_keep_their_order_when_the_cores_number_is_below_oscars() -> None:
    rows = rows_of(basket(), (line(id=1_500_000_001),))
    doc = CARTS.forward(rows, {})
    added = CartLine(UUID(int=9), doc.lines[0].product_id, doc.lines[0].stock_level_id, 1, ())
    other = msgspec.structs.replace(added, options=((oscar_id("option", "3"), "To Ada"),))
    grown = msgspec.structs.replace(doc, lines=(*doc.lines, other))
    known = numbers(
        rows_of(basket(), (line(id=1_500_000_001),), (attribute(line_id=1_500_000_001),))
    )
    option = {one.id: "1000000002" for one in CARTS.owns(grown)}

    back = CARTS.reverse(grown, rows, {**option, **known, added.id: "1000000001"})

    assert [one["id"] for one in back["basket_line"]] == [1_000_000_001, 1_500_000_001]
    assert [one.quantity for one in CARTS.forward(back, {}).lines] == [2, 1]


def test_a_line_that_was_emptied_makes_room_for_one_of_the_same_product() -> None:
    rows = rows_of(basket(), (line(quantity=0),))
    doc = CARTS.forward(rows, {})
    new = CartLine(UUID(int=1), oscar_id("product", "7"), oscar_id("stock_level", "5"), 2)
    grown = msgspec.structs.replace(doc, lines=(new,), currency="GBP")

    back = CARTS.reverse(grown, rows, {**numbers(rows), new.id: "1000000001"})["basket_line"]

    assert [one["id"] for one in back] == [1000000001]


def test_what_a_shopper_decided_is_text_as_it_is_and_else_json() -> None:
    said = (attribute(), attribute(id=22, option_id=4, value='{"b": 1, "a": 2}'))
    rows = rows_of(basket(), (line(),), said)

    doc = CARTS.forward(rows, {})

    assert {value for _, value in doc.lines[0].options} == {"To Ada", '{"a":2,"b":1}'}


def test_a_code_that_was_added_in_the_core_gets_a_row_of_its_own() -> None:
    doc = CARTS.forward(rows_of(basket()), {})
    with_code = msgspec.structs.replace(doc, vouchers=(oscar_id("voucher", "9"),))
    link = CARTS.owns(with_code)[-1]
    keys = {doc.id: "4", oscar_id("voucher", "9"): "9", link.id: "1000000003"}

    back = CARTS.reverse(with_code, {}, keys)

    assert link.entity_type == "basket_voucher"
    assert back["basket_basket_vouchers"] == ({"id": 1000000003, "basket_id": 4, "voucher_id": 9},)


@pytest.mark.parametrize("state", list(CartState))
def test_every_state_of_a_cart_is_a_status_of_its_own(state: CartState) -> None:
    doc = msgspec.structs.replace(CARTS.forward(rows_of(basket()), {}), state=state)

    back = CARTS.reverse(doc, {}, {doc.id: "4"})

    assert CARTS.forward(back, {}).state is state


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        (rows_of(basket(status="Lost")), "basket_basket.status"),
        (rows_of(basket(), (line(price_currency="?"),)), "basket_line.price_currency"),
        (
            rows_of(basket(), (line(), line(id=12, product_id=8, price_currency="EUR"))),
            "basket_line.price_currency",
        ),
        (rows_of(basket(), (line(),), (attribute(value="{"),)), "basket_lineattribute.value"),
        (
            rows_of(basket(), (line(quantity=2**31 - 1), line(id=12))),
            "basket_line.quantity",
        ),
        ({"basket_line": (line(),)}, "basket_basket"),
    ],
)
def test_a_basket_that_is_broken_says_where(rows: AggregateRows, where: str) -> None:
    with pytest.raises(RowCorrupt, match=where):
        CARTS.forward(rows, {})


def test_a_line_that_no_place_sells_cannot_be_a_line_of_oscar() -> None:
    doc: CartDocument = CARTS.forward(rows_of(basket()), {})
    nowhere = CartLine(UUID(int=1), UUID(int=2), None, 2)
    lost = msgspec.structs.replace(doc, lines=(nowhere,), currency="GBP")

    with pytest.raises(RowCorrupt, match="stockrecord_id"):
        CARTS.reverse(lost, {}, {doc.id: "4", UUID(int=1): "1", UUID(int=2): "2"})


def test_a_value_is_written_as_django_writes_json() -> None:
    doc = CARTS.forward(rows_of(basket()), {})
    new = CartLine(UUID(int=1), UUID(int=2), UUID(int=3), 1, ((UUID(int=4), "é"),))
    grown = msgspec.structs.replace(doc, lines=(new,), currency="GBP")
    keys = {doc.id: "4", new.id: "11", UUID(int=2): "7", UUID(int=3): "5", UUID(int=4): "3"}
    keys |= {one.id: "31" for one in CARTS.owns(grown) if one.entity_type.endswith("attribute")}

    (row,) = CARTS.reverse(grown, {}, keys)["basket_lineattribute"]

    assert row == {"id": 31, "line_id": 11, "option_id": 3, "value": json.dumps("é")}
