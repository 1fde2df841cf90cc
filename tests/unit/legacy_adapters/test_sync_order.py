"""Orders of oscar become documents and rows again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.canonical import canonical_bytes
from legacy_adapters.mapping.columns import Ignored
from legacy_adapters.oscar.mapping.baskets import Sums as ShownSums
from legacy_adapters.oscar.mapping.orders import STATUSES
from legacy_adapters.oscar.mapping.records import oscar_id
from legacy_adapters.oscar.mapping.sync_order import OrderTranslation
from legacy_adapters.oscar.mapping.sync_order_documents import (
    FIRST_STATUS,
    OSCAR_STATUS,
    STAGE,
    Line,
    OrderDoc,
    Settled,
    Stage,
    Sums,
    sums,
    told,
)
from new_core.domain.order import OrderLine, OrderStatus
from tests.unit.legacy_adapters.sync_order_rows import (
    address_row,
    discount_row,
    line_row,
    names_of,
    numbers_for,
    order_row,
    orders,
    share_row,
    whole_order,
)

TRANSLATION = OrderTranslation()
replace = msgspec.structs.replace


def doc_of(**changed: Any) -> OrderDoc:
    return TRANSLATION.forward(whole_order(**changed), {})


def back(doc: OrderDoc, rows: dict[str, tuple[dict[str, Any], ...]]) -> Any:
    return TRANSLATION.reverse(doc, rows, numbers_for(TRANSLATION, doc, rows))


@given(orders())
def test_rows_come_back_as_they_were(rows: dict[str, tuple[dict[str, Any], ...]]) -> None:
    doc = TRANSLATION.forward(rows, {})

    assert back(doc, rows) == rows


@given(orders())
def test_a_document_stays_itself_on_the_way_there_and_back(
    rows: dict[str, tuple[dict[str, Any], ...]],
) -> None:
    doc = TRANSLATION.forward(rows, {})
    numbers = numbers_for(TRANSLATION, doc, rows)

    again = TRANSLATION.forward(TRANSLATION.reverse(doc, {}, numbers), names_of(TRANSLATION, rows))

    # Payments and attributes that are no text are declared losses.
    assert canonical_bytes(_bare(again)) == canonical_bytes(_bare(doc))


def _bare(doc: OrderDoc) -> OrderDoc:
    lines = tuple(replace(one, options=(), id=UUID(int=0)) for one in doc.lines)
    return replace(doc, settled=Settled.UNSAID, lines=lines)


def test_everything_that_the_core_cannot_hold_is_put_back() -> None:
    rows = whole_order()
    doc = replace(TRANSLATION.forward(rows, {}), stage=Stage.COMPLETED)

    found = back(doc, rows)

    changed = {**rows, "order_order": (order_row(status="Complete"),)}
    assert found == changed


def test_an_order_is_told_in_the_cores_words() -> None:
    doc = doc_of()

    assert doc.id == oscar_id("order", "7")
    assert doc.cart_id == oscar_id("basket", "42")
    assert doc.stage is Stage.PENDING
    assert doc.settled is Settled.PAID
    assert doc.placed_at == datetime(2026, 1, 31, 9, 0, 0, 123456, tzinfo=UTC)
    assert doc.total_minor == 2198
    line = doc.lines[0]
    assert (line.base_minor, line.net_minor, line.gross_minor) == (2198, 1998, 1998)
    assert line.options == (("colour", "blue"), ("gift", "true"))
    assert [one.coupon for one in doc.reductions] == ["", "FIVE"]
    assert doc.shipping_address is not None
    assert doc.shipping_address.lines == ("1 Book Street",)
    assert TRANSLATION.money(doc) == (2198, "GBP")


def test_a_line_that_is_gone_takes_what_hangs_on_it_along() -> None:
    rows = whole_order(order_line=(line_row(11), line_row(12)))
    doc = TRANSLATION.forward(rows, {})

    found = back(replace(doc, lines=doc.lines[1:]), rows)

    assert [row["id"] for row in found["order_line"]] == [12]
    assert "order_lineprice" not in found
    assert "order_orderlinediscount" not in found
    assert "order_shippingeventquantity" not in found
    assert found["order_shippingevent"] == rows["order_shippingevent"]


def test_a_discount_that_is_gone_leaves_the_others_their_rows() -> None:
    rows = whole_order(order_orderlinediscount=())
    doc = TRANSLATION.forward(rows, {})

    found = back(replace(doc, reductions=doc.reductions[1:]), rows)

    assert [row["id"] for row in found["order_orderdiscount"]] == [22, 23]


def test_an_order_of_the_core_is_whole_in_oscar() -> None:
    doc = born_in_the_core()
    numbers = numbers_for(TRANSLATION, doc, {})

    rows = TRANSLATION.reverse(doc, {}, numbers)

    order, line = rows["order_order"][0], rows["order_line"][0]
    tables = {table.name: table for table in TRANSLATION.shape.tables}
    assert all(set(row) == set(tables[name].columns) for name in rows for row in rows[name])
    assert order["id"] == int(numbers[doc.id])
    assert order["shipping_address_id"] == rows["order_shippingaddress"][0]["id"]
    assert order["status"] == "Pending"
    assert line["order_id"] == order["id"]
    assert line["unit_price_excl_tax"] == "10.99"
    assert line["num_allocated"] == 2
    shown = "Ada Reader 1 Book Street London EN1 9EL United Kingdom"
    assert rows["order_shippingaddress"][0]["search_text"] == shown
    share = rows["order_orderlinediscount"][0]
    assert share["order_discount_id"] == rows["order_orderdiscount"][0]["id"]


def test_an_order_of_the_core_comes_back_as_the_same() -> None:
    doc = born_in_the_core()
    numbers = numbers_for(TRANSLATION, doc, {})
    known = {
        (one.entity_type, numbers[one.id]): one.id
        for one in (*TRANSLATION.owns(doc), *TRANSLATION.points_at(doc))
    }

    again = TRANSLATION.forward(TRANSLATION.reverse(doc, {}, numbers), known)

    assert canonical_bytes(again) == canonical_bytes(doc)


def born_in_the_core() -> OrderDoc:
    ident = UUID("01900000-0000-7000-8000-000000000001")
    rows = whole_order(payment_source=(), payment_transaction=())
    doc = TRANSLATION.forward(rows, {})
    lines = tuple(
        replace(one, id=UUID(f"01900000-0000-7000-8000-00000000000{at}"))
        for at, one in enumerate(doc.lines, 2)
    )
    return replace(doc, id=ident, lines=lines)


def test_every_status_of_either_side_has_one_of_the_other() -> None:
    assert set(STAGE) == set(OrderStatus)
    assert set(OSCAR_STATUS) == set(Stage) == set(FIRST_STATUS)
    assert all(STAGE[FIRST_STATUS[stage]] is stage for stage in Stage)
    assert {status: OSCAR_STATUS[stage] for status, stage in STAGE.items()} == STATUSES


@pytest.mark.parametrize(
    ("table", "row", "told_of"),
    [
        ("order_order", order_row(status="Lost"), "order_order.status"),
        ("order_order", order_row(currency="GB"), "order_order.currency"),
        ("order_order", order_row(currency="JPY"), "order_order.total_incl_tax"),
        ("order_order", order_row(total_incl_tax="-0.01"), "order_order.total_incl_tax"),
        ("order_order", order_row(total_excl_tax="x"), "order_order.total_excl_tax"),
        ("order_order", order_row(number="9" * 65), "order_order.number"),
        ("order_order", order_row(number="a\0b"), "order_order.number"),
        ("order_line", line_row(quantity=-1), "order_line.quantity"),
        ("order_line", line_row(line_price_incl_tax="1.00"), "order_line.line_price_incl_tax"),
        ("order_orderdiscount", discount_row(category="Odd"), "order_orderdiscount.category"),
        ("order_orderdiscount", discount_row(voucher_id=5), "order_orderdiscount.voucher_code"),
        (
            "order_orderlinediscount",
            share_row(order_discount_id=99),
            "order_orderlinediscount.order_discount_id",
        ),
        (
            "order_lineattribute",
            {"id": 1, "type": "a", "line_id": 11, "option_id": None, "value": '"\\ud800"'},
            "order_lineattribute.value",
        ),
        ("order_shippingaddress", address_row(6), "phone_number"),
    ],
)
def test_what_cannot_be_read_is_refused(table: str, row: dict[str, Any], told_of: str) -> None:
    rows = whole_order(**{table: (row,)})
    if "phone_number" in told_of:
        rows["order_shippingaddress"] = (address_row(6, phone_number=None, notes=""),)

    with pytest.raises(RowCorrupt, match=told_of):
        TRANSLATION.forward(rows, {})


def test_money_is_exact_in_currencies_of_other_decimals() -> None:
    yen = whole_order(
        order_order=(
            order_row(
                currency="JPY", total_incl_tax="5.00", total_excl_tax="5.00",
                shipping_incl_tax="0.00", shipping_excl_tax="0.00",
            ),
        ),
        order_line=(), order_orderdiscount=(), order_orderlinediscount=(), payment_source=(),
        order_lineattribute=(),
    )  # fmt: skip

    doc = TRANSLATION.forward(yen, {})

    assert doc.total_minor == 5
    assert (
        TRANSLATION.forward(whole_order(order_order=(order_row(currency="BHD"),)), {}).total_minor
        == 21980
    )


def test_what_is_finer_than_oscars_cents_is_not_rounded() -> None:
    rows = whole_order(order_order=(order_row(currency="BHD"),))
    doc = replace(TRANSLATION.forward(rows, {}), total_minor=21985)

    with pytest.raises(RowCorrupt, match="21985"):
        back(doc, rows)


def test_a_refused_side_car_is_written_anew() -> None:
    rows = whole_order()
    doc = TRANSLATION.forward(rows, {})
    numbers = numbers_for(TRANSLATION, doc, rows)
    broken = {**rows, "order_order": (order_row(status="Lost"),)}

    found = TRANSLATION.reverse(doc, broken, numbers)

    assert found["order_order"][0]["status"] == "Pending"
    assert found["order_order"][0]["site_id"] == 1


def test_the_sums_of_a_line_are_those_that_the_facade_shows() -> None:
    line = OrderLine(
        UUID(int=1), UUID(int=2), UUID(int=3), "s", "t", 3, 1, base_minor=999, net_minor=899,
        gross_minor=1079,
    )  # fmt: skip

    for tax_included in (False, True):
        shown = ShownSums.of([line], tax_included=tax_included)

        found = sums(999, 899, 1079, tax_included=tax_included)

        assert tuple(found) == (shown.net, shown.gross, shown.net_before, shown.gross_before)


def test_prices_with_tax_are_told_from_those_without() -> None:
    with_tax = [sums(1200, 900, 1080, tax_included=True), sums(601, 501, 601, tax_included=True)]

    tax_included, bases = told(with_tax)

    again = [
        sums(base, one.net, one.gross, tax_included=tax_included)
        for base, one in zip(bases, with_tax, strict=True)
    ]
    assert again == with_tax


def test_prices_that_no_rule_gives_keep_what_is_without_tax() -> None:
    assert told([Sums(900, 1080, 1000, 1300)]) == (False, [1000])


def test_what_is_gone_in_oscar_is_told_as_gone() -> None:
    doc = doc_of(
        order_order=(order_row(basket_id=None, shipping_address_id=None),),
        order_line=(line_row(product_id=None, stockrecord_id=None),),
        order_shippingaddress=(),
    )

    assert doc.cart_id is None
    assert doc.shipping_address is None
    assert isinstance(doc.lines[0], Line)
    assert doc.lines[0].product_id is None
    assert TRANSLATION.points_at(doc) == ()


def test_every_reason_to_leave_a_column_out_is_said() -> None:
    fates = [fate for columns in TRANSLATION.columns.values() for fate in columns.values()]

    assert all(fate.reason for fate in fates if isinstance(fate, Ignored))
    assert {name: set(columns) for name, columns in TRANSLATION.columns.items()} == {
        table.name: set(table.columns) for table in TRANSLATION.shape.tables
    }
