"""Rows of oscar become records of the core, or a reason why not."""

from __future__ import annotations

from typing import Any

import pytest

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.columns import Ignored, Mapped
from legacy_adapters.oscar.mapping import records
from legacy_adapters.oscar.mapping.columns import COLUMNS
from legacy_adapters.oscar.mapping.records import ProductRows, oscar_id
from legacy_adapters.ports import ProductRecord
from new_core.domain.catalog import Category, Status, Structure
from new_core.storage import tables as core_tables

WHEN = "2024-01-02 03:04:05.678900"


def product_cells(**changed: Any) -> dict[str, Any]:
    return {
        "id": 7, "structure": "standalone", "upc": None, "title": "A <b>book</b> 🎉", "slug": "a",
        "description": "", "date_created": WHEN, "is_discountable": 1, "product_class_id": 3,
        "is_public": 1, "meta_description": None, "meta_title": None, "priority": 0,
        "code": None, "parent_id": None, "parent_structure": None,
    } | changed  # fmt: skip


def stock_cells(**changed: Any) -> dict[str, Any]:
    return {
        "id": 5, "partner_sku": "sku", "price": 7.99, "price_currency": "GBP",
        "num_in_stock": 3, "num_allocated": None, "low_stock_threshold": None,
        "date_created": WHEN, "partner_id": 2,
    } | changed  # fmt: skip


def category_cells(**changed: Any) -> dict[str, Any]:
    return {
        "id": 4, "path": "00010002", "depth": 2, "parent_key": 1, "name": "N", "slug": "n",
        "description": "", "long_description": "", "meta_title": None, "meta_description": None,
        "image": "", "code": None, "is_public": 1, "ancestors_are_public": 1,
        "exclude_from_menu": 0,
    } | changed  # fmt: skip


def as_product(rows: ProductRows) -> ProductRecord:
    record = records.product(rows).record
    assert isinstance(record, ProductRecord)
    return record


def test_a_product_keeps_its_text_as_it_is_and_its_first_day() -> None:
    record = as_product(ProductRows(product_cells()))

    assert record.product.title == "A <b>book</b> 🎉"
    assert record.product.created_at.isoformat() == "2024-01-02T03:04:05.678900+00:00"
    assert record.product.status is Status.PUBLISHED
    assert record.product.type_id == oscar_id("product_type", "3")


def test_a_stock_record_is_a_place_with_a_price() -> None:
    record = as_product(ProductRows(product_cells(), stock=[stock_cells()]))

    (supply,) = record.supplies
    assert record.variant is not None
    assert record.variant.sku == "sku"
    assert supply.price.unit_micro == 7_990_000
    assert supply.price.stock_level_id == supply.level.id
    assert supply.price_list.code == "oscar-base-gbp"
    assert supply.level.available == 3


def test_a_price_that_is_null_is_on_request_and_keeps_its_currency() -> None:
    record = as_product(ProductRows(product_cells(), stock=[stock_cells(price=None)]))

    assert record.supplies[0].price.unit_micro is None
    assert record.supplies[0].price_list.currency == "GBP"


def test_a_parent_is_not_sold_itself() -> None:
    record = as_product(ProductRows(product_cells(structure="parent")))

    assert record.product.structure is Structure.PARENT
    assert record.variant is None


def test_a_record_names_all_that_must_be_there_first() -> None:
    rows = ProductRows(
        product_cells(structure="child", product_class_id=None, parent_id=6,
                      parent_structure="parent"),
        categories=[{"category_id": 8}],
        options=[{"option_id": 9}],
        stock=[stock_cells()],
    )  # fmt: skip

    needs = records.product(rows).needs

    assert {(one.what, one.external_id) for one in needs} == {
        ("product", "6"), ("category", "8"), ("option", "9"), ("warehouse", "2"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"structure": "child"}, "parent_id is NULL"),
        ({"structure": "child", "parent_id": 1}, "product_class_id is set"),
        ({"structure": "child", "parent_id": 1, "product_class_id": None}, "which is no product"),
        ({"parent_id": 1}, "is set, but the product is standalone"),
        ({"product_class_id": None}, "product_class_id is NULL"),
        ({"structure": "pack"}, "structure is 'pack'"),
        ({"is_public": None}, "is_public is None"),
        ({"title": None}, "title is NULL"),
    ],
)
def test_what_contradicts_itself_is_refused(changed: dict[str, Any], problem: str) -> None:
    with pytest.raises(RowCorrupt, match=problem):
        records.product(ProductRows(product_cells(**changed)))


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"price_currency": "XXQ"}, "not an ISO 4217 code"),
        ({"price": -1}, "is not in 0 to"),
        ({"num_in_stock": -1}, "num_in_stock is -1"),
        ({"num_allocated": -1}, "num_allocated is -1"),
        ({"partner_sku": None}, "partner_sku is NULL"),
    ],
)
def test_bad_stock_parks_the_product(changed: dict[str, Any], problem: str) -> None:
    with pytest.raises(RowCorrupt, match=problem):
        records.product(ProductRows(product_cells(), stock=[stock_cells(**changed)]))


def test_a_category_stands_below_the_one_its_path_names() -> None:
    found = records.category(category_cells())

    assert isinstance(found.record, Category)
    assert found.record.parent_id == oscar_id("category", "1")
    assert [one.external_id for one in found.needs] == ["1"]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"path": "0001000"}, "4 characters per level"),
        ({"path": ""}, "4 characters per level"),
        ({"depth": 3}, "but depth is 3"),
        ({"parent_key": None}, "no category stands at '0001'"),
        ({"path": None}, "path is NULL"),
    ],
)
def test_a_broken_tree_is_refused(changed: dict[str, Any], problem: str) -> None:
    with pytest.raises(RowCorrupt, match=problem):
        records.category(category_cells(**changed))


def test_every_mapped_column_names_a_column_that_the_core_has() -> None:
    there = {
        f"{table.name}.{column.name}"
        for table in core_tables.metadata.tables.values()
        for column in table.columns
    }

    fates = [fate for columns in COLUMNS.values() for fate in columns.values()]

    assert {fate.to for fate in fates if isinstance(fate, Mapped)} <= there
    assert all(len(fate.reason) > 20 for fate in fates if isinstance(fate, Ignored))
