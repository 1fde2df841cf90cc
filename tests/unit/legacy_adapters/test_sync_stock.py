"""Stock records go to the core and back."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.rows import Broken, Row
from legacy_adapters.oscar.mapping.records import oscar_id
from legacy_adapters.oscar.mapping.sync_stock import STOCK_RECORD, StockTranslation

STOCK = StockTranslation("GBP")
WHEN = "2024-01-02T03:04:05.678900Z"
keys = st.integers(1, 2**31)
units = st.none() | st.integers(0, 2**31 - 1)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=128)
moments = st.datetimes().map(lambda one: one.isoformat(timespec="microseconds") + "Z")


def record(**changed: Any) -> Row:
    whole: dict[str, Any] = {
        "id": 5, "partner_sku": "sku", "price": "7.99", "price_currency": "GBP",
        "num_in_stock": 3, "num_allocated": None, "low_stock_threshold": None,
        "date_created": WHEN, "date_updated": WHEN, "partner_id": 2, "product_id": 7,
    }  # fmt: skip
    return whole | changed


records = st.builds(
    record,
    id=keys, partner_sku=texts, price_currency=st.sampled_from(["GBP", "JPY", "KWD"]),
    price=st.none() | st.integers(0, 10**12 - 1).map(lambda one: f"{one // 100}.{one % 100:02}"),
    num_in_stock=units, num_allocated=units, low_stock_threshold=units,
    date_created=moments, date_updated=moments, partner_id=keys, product_id=keys,
)  # fmt: skip


def numbers(row: Row) -> Mapping[UUID, str]:
    named = (("stock_level", "id"), ("product", "product_id"), ("warehouse", "partner_id"))
    return {oscar_id(what, str(row[column])): str(row[column]) for what, column in named}


@given(row=records)
def test_a_row_that_went_to_the_core_comes_back_as_it_was(row: Row) -> None:
    rows = {STOCK_RECORD.name: (row,)}
    doc = STOCK.forward(rows, {})

    back = STOCK.reverse(doc, rows, numbers(row))

    assert back == rows


@given(row=records)
def test_a_row_that_nobody_remembers_still_means_the_same(row: Row) -> None:
    doc = STOCK.forward({STOCK_RECORD.name: (row,)}, {})

    back = STOCK.reverse(doc, {}, numbers(row))

    assert STOCK.forward(back, {}) == doc


def test_a_record_that_was_born_in_the_core_names_nothing_after_oscars_keys() -> None:
    own, product = uuid.UUID(int=7 << 76 | 2 << 62), uuid.UUID(int=7 << 76 | 2 << 62 | 1)
    known = {("stock_level", "5"): own, ("product", "7"): product}

    doc = STOCK.forward({STOCK_RECORD.name: (record(),)}, known)

    assert (doc.id, doc.product_id) == (own, product)
    assert (doc.variant_id, doc.price_id, doc.rank) == (None, None, None)


def test_a_price_finer_than_a_penny_is_rounded_and_told_as_a_loss() -> None:
    row = record(price=None)
    doc = STOCK.forward({STOCK_RECORD.name: (row,)}, {})
    finer = msgspec.structs.replace(doc, unit_micro=1_234_999)

    (back,) = STOCK.reverse(finer, {}, numbers(row))[STOCK_RECORD.name]

    assert back["price"] == "1.23"
    assert "partner_stockrecord.price" in {loss.where for loss in STOCK.losses}


@pytest.mark.parametrize(
    "changed",
    [
        {"price": Broken("?")},
        {"price_currency": "XXXX"},
        {"num_in_stock": -1},
        {"num_allocated": -1},
        {"partner_sku": "a\x00"},
        {"date_created": None},
    ],
)
def test_a_row_that_is_broken_says_where(changed: dict[str, Any]) -> None:
    with pytest.raises(RowCorrupt, match=f"partner_stockrecord.{next(iter(changed))}"):
        STOCK.forward({STOCK_RECORD.name: (record(**changed),)}, {})


def test_a_sku_that_oscar_cannot_hold_is_refused_and_not_cut() -> None:
    row = record(partner_sku="s" * 129)
    doc = STOCK.forward({STOCK_RECORD.name: (row,)}, {})

    with pytest.raises(RowCorrupt, match="partner_sku"):
        STOCK.reverse(doc, {}, numbers(row))


def test_what_is_at_stake_is_the_price_in_minor_units_of_its_currency() -> None:
    pounds = STOCK.forward({STOCK_RECORD.name: (record(),)}, {})
    yen = STOCK.forward({STOCK_RECORD.name: (record(price="120.00", price_currency="JPY"),)}, {})

    assert (STOCK.money(pounds), STOCK.money(yen)) == ((799, "GBP"), (120, "JPY"))
