"""Rows of oscar's orders for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from legacy_adapters.mapping.aggregates import AggregateRows
from legacy_adapters.ports.documents import Own, Translation

WHEN = "2026-01-31T09:00:00.123456Z"

Row = dict[str, Any]


def order_row(**changed: Any) -> Row:
    return {
        "id": 7, "number": "100042", "currency": "GBP", "total_incl_tax": "21.98",
        "total_excl_tax": "21.98", "shipping_incl_tax": "2.00", "shipping_excl_tax": "2.00",
        "shipping_method": "By post", "shipping_code": "post", "status": "Pending",
        "guest_email": "Reader@Example.com", "date_placed": WHEN, "basket_id": 42,
        "billing_address_id": 5, "shipping_address_id": 6, "site_id": 1, "user_id": None,
        "shipping_tax_code": "T1", "analytics_tracked": True,
    } | changed  # fmt: skip


def line_row(ident: int = 11, **changed: Any) -> Row:
    return {
        "id": ident, "partner_name": "Books", "partner_sku": f"sku-{ident}",
        "partner_line_reference": "ref", "partner_line_notes": "note", "title": "A 📚 book",
        "upc": "978", "quantity": 2, "line_price_incl_tax": "19.98",
        "line_price_excl_tax": "19.98", "line_price_before_discounts_incl_tax": "21.98",
        "line_price_before_discounts_excl_tax": "21.98", "unit_price_incl_tax": "10.99",
        "unit_price_excl_tax": "10.99", "status": "Pending", "order_id": 7, "partner_id": 1,
        "product_id": 12, "stockrecord_id": 3, "tax_code": "T2", "allocation_cancelled": False,
        "num_allocated": 2,
    } | changed  # fmt: skip


def address_row(ident: int, *, is_called: bool = False, **changed: Any) -> Row:
    row = {
        "id": ident, "title": "Ms", "first_name": "Ada", "last_name": "Reader",
        "line1": "1 Book Street", "line2": "", "line3": "", "line4": "London", "state": "",
        "postcode": "EN1 9EL", "search_text": "as the shop wrote it", "country_id": "GB",
        "code": None,
    }  # fmt: skip
    called = {"phone_number": "+442079460018", "notes": "ring"} if is_called else {}
    return {**row, **called, **changed}


def discount_row(ident: int = 21, **changed: Any) -> Row:
    return {
        "id": ident, "category": "Basket", "offer_id": 901, "offer_name": "Two off",
        "voucher_id": None, "voucher_code": "", "frequency": 1, "amount": "2.00", "message": "m",
        "order_id": 7,
    } | changed  # fmt: skip


def share_row(ident: int = 31, **changed: Any) -> Row:
    return {
        "id": ident, "is_incl_tax": False, "amount": "2.00", "line_id": 11,
        "order_discount_id": 21,
    } | changed  # fmt: skip


def whole_order(**changed: Any) -> dict[str, tuple[Row, ...]]:
    """An order with something in each of its tables."""
    event = {"order_id": 7, "event_type_id": 1, "date_created": WHEN}
    of_line = {"event_id": 1, "line_id": 11}
    return {
        "order_order": (order_row(),),
        "order_shippingaddress": (address_row(6, is_called=True),),
        "order_billingaddress": (address_row(5),),
        "order_line": (line_row(),),
        "order_lineprice": (
            {"id": 1, "quantity": 2, "price_incl_tax": "9.066666666666666",
             "price_excl_tax": "9.0667", "shipping_incl_tax": "0.0", "shipping_excl_tax": "0.0",
             "line_id": 11,
             "order_id": 7, "tax_code": None},
        ),
        "order_lineattribute": (
            {"id": 1, "type": "colour", "line_id": 11, "option_id": 2, "value": '"blue"'},
            {"id": 2, "type": "gift", "line_id": 11, "option_id": None, "value": "true"},
        ),
        "order_orderdiscount": (
            discount_row(),
            discount_row(22, category="Deferred", amount="0.00"),
            discount_row(23, voucher_id=5, voucher_code="FIVE", amount="0.10"),
        ),
        "order_orderlinediscount": (share_row(),),
        "order_surcharge": (
            {"id": 1, "name": "Card", "code": "card", "incl_tax": "0.50", "excl_tax": "0.50",
             "order_id": 7, "tax_code": None},
        ),
        "order_ordernote": (
            {"id": 1, "note_type": "Info", "message": "hello", "date_created": WHEN,
             "date_updated": WHEN, "order_id": 7, "user_id": None},
        ),
        "order_orderstatuschange": (
            {"id": 1, "old_status": "", "new_status": "Pending", "order_id": 7,
             "date_created": WHEN},
        ),
        "order_communicationevent": ({"id": 1, **event},),
        "order_shippingevent": ({"id": 1, "notes": "", **event},),
        "order_shippingeventquantity": ({"id": 1, "quantity": 1, **of_line},),
        "order_paymentevent": (
            {"id": 1, "amount": "1.00", "reference": "r", "shipping_event_id": 1, **event},
        ),
        "order_paymenteventquantity": ({"id": 1, "quantity": 1, **of_line},),
        "payment_source": (
            {"id": 1, "currency": "GBP", "amount_allocated": "21.98", "amount_debited": "21.98",
             "amount_refunded": "0.00", "label": "", "order_id": 7, "source_type_id": 1,
             "reference": "x"},
        ),
        "payment_transaction": (
            {"id": 1, "txn_type": "Debit", "amount": "21.98", "reference": "x", "status": "ok",
             "source_id": 1, "date_created": WHEN},
        ),
        "voucher_voucherapplication": (
            {"id": 1, "order_id": 7, "user_id": None, "voucher_id": 5, "date_created": WHEN},
        ),
    } | changed  # fmt: skip


def numbers_for(translation: Translation[Any], doc: Any, rows: AggregateRows) -> dict[UUID, str]:
    """Numbers as a store of them gives: oscar's own where a row came first, else new ones."""
    known = {one: key for (_, key), one in names_of(translation, rows).items()}
    ends: list[Own] = [*translation.owns(doc), *translation.points_at(doc)]
    first = 1_000_000_000
    return {one.id: known.get(one.id, str(first + at)) for at, one in enumerate(ends)}


def names_of(translation: Translation[Any], rows: AggregateRows) -> Mapping[tuple[str, str], UUID]:
    """All that is known of rows: what they are, and what they point at."""
    from legacy_adapters.oscar.mapping.records import oscar_id  # noqa: PLC0415

    if not rows:
        return {}
    ends = {one: oscar_id(*one) for one in translation.refers(rows)}
    return ends | dict(translation.names(rows, {}))


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
_AMOUNT = st.integers(0, 99_999_99).map(lambda cents: f"{cents // 100}.{cents % 100:02d}")
_KEY = st.integers(1, 900)


@st.composite
def orders(draw: st.DrawFn) -> dict[str, tuple[Row, ...]]:
    """Orders of oscar as its tables allow them."""
    discounts = [
        discount_row(
            at, offer_id=draw(st.none() | _KEY), amount=draw(_AMOUNT), offer_name=draw(_TEXT),
            category=draw(st.sampled_from(["Basket", "Shipping", "Deferred"])), **draw(_vouchers()),
        )
        for at in range(1, draw(st.integers(0, 3)) + 1)
    ]  # fmt: skip
    lines = [draw(_lines(at)) for at in sorted(draw(st.sets(_KEY, max_size=4)))]
    shares = [
        share_row(at, amount=draw(_AMOUNT), line_id=draw(st.sampled_from(lines))["id"],
                  order_discount_id=draw(st.sampled_from(discounts))["id"])
        for at in range(1, draw(st.integers(0, 3)) + 1)
        if lines and discounts
    ]  # fmt: skip
    options = [
        {"id": at, "type": draw(_TEXT), "line_id": draw(st.sampled_from(lines))["id"],
         "option_id": draw(st.none() | _KEY), "value": json.dumps(draw(_VALUES))}
        for at in range(1, draw(st.integers(0, 2)) + 1)
        if lines
    ]  # fmt: skip
    root = order_row(
        status=draw(st.sampled_from(["Pending", "Being processed", "Complete", "Cancelled"])),
        basket_id=draw(st.none() | _KEY), user_id=draw(st.none() | _KEY), number=draw(_TEXT),
        guest_email=draw(_TEXT), total_incl_tax=draw(_AMOUNT), total_excl_tax=draw(_AMOUNT),
        shipping_code=draw(_TEXT), shipping_incl_tax=draw(_AMOUNT), date_placed=draw(_MOMENTS),
        shipping_address_id=draw(st.sampled_from([None, 6])),
        billing_address_id=draw(st.sampled_from([None, 5])),
        currency=draw(st.sampled_from(["GBP", "EUR"])),
    )  # fmt: skip
    found = {
        "order_order": [root],
        "order_shippingaddress": [address_row(6, is_called=True, **draw(_places()))],
        "order_billingaddress": [address_row(5, **draw(_places()))],
        "order_line": lines, "order_orderdiscount": discounts,
        "order_orderlinediscount": shares, "order_lineattribute": options,
    }  # fmt: skip
    for table, column in _POINTED.items():
        if root[column] is None:
            found[table] = []
    return {name: tuple(rows) for name, rows in found.items() if rows}


_POINTED = {
    "order_shippingaddress": "shipping_address_id",
    "order_billingaddress": "billing_address_id",
}
_VALUES = st.none() | st.booleans() | st.integers(-9, 9) | _TEXT
_MOMENTS = st.datetimes().map(lambda at: at.isoformat(timespec="microseconds") + "Z")


@st.composite
def _vouchers(draw: st.DrawFn) -> Row:
    number = draw(st.none() | _KEY)
    return {"voucher_id": number, "voucher_code": "" if number is None else f"C{number}"}


@st.composite
def _places(draw: st.DrawFn) -> Row:
    names = ("line1", "line2", "line3", "line4", "first_name", "state")
    return {name: draw(_TEXT) for name in names}


@st.composite
def _lines(draw: st.DrawFn, ident: int) -> Row:
    net, before = draw(st.integers(0, 10**6)), draw(st.integers(0, 10**6))
    tax, more = draw(st.sampled_from([0, 1, 1999])), draw(st.sampled_from([0, 3, 2001]))

    def text(cents: int) -> str:
        return f"{cents // 100}.{cents % 100:02d}"

    return line_row(
        ident, quantity=draw(st.integers(0, 9)), title=draw(_TEXT),
        line_price_excl_tax=text(net), line_price_incl_tax=text(net + tax),
        line_price_before_discounts_excl_tax=text(before),
        line_price_before_discounts_incl_tax=text(before + more),
        product_id=draw(st.none() | _KEY), stockrecord_id=draw(st.none() | _KEY),
        unit_price_excl_tax=draw(st.none() | _AMOUNT),
    )  # fmt: skip
