"""Products and what they point at go to the core and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows
from legacy_adapters.mapping.canonical import canonical_bytes
from legacy_adapters.mapping.rows import Row
from legacy_adapters.oscar.mapping import sync_catalog_tables as tables
from legacy_adapters.oscar.mapping.records import oscar_id
from legacy_adapters.oscar.mapping.sync_catalog import CategoryTranslation, TypeTranslation
from legacy_adapters.oscar.mapping.sync_catalog_products import ProductTranslation
from legacy_adapters.oscar.mapping.sync_catalog_values import Property
from new_core.domain.catalog import Structure, ValueType

PRODUCTS, CATEGORIES, TYPES = ProductTranslation(), CategoryTranslation(), TypeTranslation()
WHEN = "2024-01-02T03:04:05.678900Z"


def product(**changed: Any) -> Row:
    whole: dict[str, Any] = {
        "id": 7, "structure": "standalone", "upc": None, "title": "A", "slug": "a",
        "description": "", "rating": "4.5", "date_created": WHEN, "date_updated": WHEN,
        "is_discountable": True, "product_class_id": 3, "is_public": True,
        "meta_description": None, "meta_title": None, "priority": 0, "code": None,
        "parent_id": None,
    }  # fmt: skip
    return whole | changed


def value(**changed: Any) -> Row:
    nothing: dict[str, Any] = dict.fromkeys(tables.VALUE.columns)
    return nothing | {"id": 31, "attribute_id": 4, "product_id": 7} | changed


def rows_of(root: Row, **more: tuple[Row, ...]) -> AggregateRows:
    names = {
        "values": tables.VALUE, "chosen": tables.CHOSEN, "categories": tables.PRODUCT_CATEGORY,
        "options": tables.PRODUCT_OPTION, "others": tables.RECOMMENDATION, "images": tables.IMAGE,
    }  # fmt: skip
    found = {table.name: more.get(name, ()) for name, table in names.items()}
    return {tables.PRODUCT.name: (root,), **found}


said = st.one_of(
    st.text("aé<>", max_size=5).map(lambda one: {"value_text": one}),
    st.text("aé<>", max_size=5).map(lambda one: {"value_richtext": one}),
    st.integers(-(2**31) + 1, 2**31 - 1).map(lambda one: {"value_integer": one}),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda one: {"value_float": repr(one)}),
    st.booleans().map(lambda one: {"value_boolean": one}),
    st.dates().map(lambda one: {"value_date": one.isoformat()}),
    st.datetimes().map(
        lambda one: {"value_datetime": one.isoformat(timespec="microseconds") + "Z"}
    ),
    st.sampled_from(["", "a.pdf"]).map(lambda one: {"value_file": one}),
    st.integers(1, 9).map(lambda one: {"value_option_id": one}),
    st.just({}),
)


@st.composite
def products(draw: st.DrawFn) -> AggregateRows:
    values = tuple(
        value(id=30 + place, attribute_id=4 + place, **one)
        for place, one in enumerate(draw(st.lists(said, max_size=4)))
    )
    several = value(id=60, attribute_id=60)
    picks = sorted(draw(st.sets(st.integers(1, 5), max_size=3)))
    chosen = tuple(
        {"id": 70 + one, "productattributevalue_id": 60, "attributeoption_id": one} for one in picks
    )
    some = st.sets(st.integers(1, 9), max_size=3).map(sorted)
    return rows_of(
        product(upc=draw(st.sampled_from([None, "", "97"])), rating=None),
        values=(*values, several),
        chosen=chosen,
        categories=tuple(
            {"id": 80 + one, "category_id": one, "product_id": 7} for one in draw(some)
        ),
        options=tuple({"id": 90 + one, "product_id": 7, "option_id": one} for one in draw(some)),
        others=tuple(
            {"id": 100 + one, "primary_id": 7, "recommendation_id": one + 20, "ranking": one % 2}
            for one in draw(some)
        ),
        images=tuple(
            {
                "id": 120 + one, "original": "i.png", "caption": "", "display_order": one % 2,
                "date_created": WHEN, "product_id": 7, "code": draw(st.sampled_from([None, ""])),
            }
            for one in draw(some)
        ),
    )  # fmt: skip


def numbers(rows: AggregateRows) -> Mapping[UUID, str]:
    known = {oscar_id(what, key): key for what, key in PRODUCTS.refers(rows)}
    return known | {ident: key for (_, key), ident in PRODUCTS.names(rows, {}).items()}


@settings(max_examples=40)
@given(rows=products())
def test_a_product_that_went_to_the_core_comes_back_as_it_was(rows: AggregateRows) -> None:
    doc = PRODUCTS.forward(rows, {})

    assert PRODUCTS.reverse(doc, rows, numbers(rows)) == rows
    assert canonical_bytes(doc)


@settings(max_examples=40)
@given(rows=products())
def test_a_product_that_nobody_remembers_still_means_the_same(rows: AggregateRows) -> None:
    doc = PRODUCTS.forward(rows, {})

    assert PRODUCTS.forward(PRODUCTS.reverse(doc, {}, numbers(rows)), {}) == doc


def test_a_value_that_changed_keeps_its_row_and_leaves_its_old_column_empty() -> None:
    rows = rows_of(product(), values=(value(value_text="old", entity_object_id=9),))
    doc = PRODUCTS.forward(rows, {})
    new = Property(doc.properties[0].attribute_id, ValueType.INTEGER, 5)

    changed = msgspec.structs.replace(doc, properties=(new,))
    (row,) = PRODUCTS.reverse(changed, rows, numbers(rows))[tables.VALUE.name]

    assert (row["id"], row["value_text"], row["value_integer"]) == (31, None, 5)
    assert row["entity_object_id"] == 9


def test_a_label_that_no_choice_of_oscar_has_is_refused_and_not_emptied() -> None:
    rows = rows_of(product(), values=(value(value_option_id=2),))
    doc = PRODUCTS.forward(rows, {})
    lost = Property(doc.properties[0].attribute_id, ValueType.CHOICE, ())

    with pytest.raises(RowCorrupt, match="value_option_id"):
        PRODUCTS.reverse(msgspec.structs.replace(doc, properties=(lost,)), rows, numbers(rows))


def test_a_product_that_goes_with_one_that_was_never_carried_keeps_it() -> None:
    other: Row = {"id": 1, "primary_id": 7, "recommendation_id": 99, "ranking": 3}
    rows = rows_of(product(), others=(other,))
    doc = PRODUCTS.forward(rows, {})
    known = {one: key for one, key in numbers(rows).items() if key != "99"}

    assert PRODUCTS.reverse(doc, rows, known)[tables.RECOMMENDATION.name] == (other,)
    assert [one.is_needed for one in PRODUCTS.points_at(doc)][-1] is False


def test_a_child_has_the_type_of_its_parent_and_a_variant_of_its_own() -> None:
    child = product(structure="child", parent_id=5, product_class_id=None)

    doc = PRODUCTS.forward(rows_of(child), {})

    assert (doc.structure, doc.type_id) == (Structure.VARIANT, None)
    assert doc.parent_id == oscar_id("product", "5")
    assert doc.variant_id == oscar_id("variant", "7")


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        (rows_of(product(structure="odd")), "structure"),
        (rows_of(product(product_class_id=None)), "product_class_id"),
        (rows_of(product(structure="child")), "parent_id"),
        (rows_of(product(), values=(value(value_text="a", value_integer=1),)), "attribute_id"),
        (rows_of(product(), values=(value(value_float="nan"),)), "value_float"),
    ],
)
def test_a_product_that_is_broken_says_where(rows: AggregateRows, where: str) -> None:
    with pytest.raises(RowCorrupt, match=where):
        PRODUCTS.forward(rows, {})


def category(**changed: Any) -> Row:
    whole: dict[str, Any] = {
        "id": 4, "path": "00010002", "depth": 2, "numchild": 1, "name": "N", "slug": "n",
        "description": "", "image": "", "ancestors_are_public": True, "is_public": True,
        "meta_description": None, "meta_title": None, "code": None, "exclude_from_menu": False,
        "long_description": "",
    }  # fmt: skip
    return whole | changed


def test_a_category_has_its_depth_from_its_path_and_keeps_its_word_for_nothing() -> None:
    rows = {tables.CATEGORY.name: (category(),)}
    doc = CATEGORIES.forward(rows, {})
    moved = msgspec.structs.replace(doc, path="000100020003")

    (back,) = CATEGORIES.reverse(moved, rows, {doc.id: "4"})[tables.CATEGORY.name]

    assert (back["depth"], back["image"], back["code"]) == (3, "", None)


@pytest.mark.parametrize("path", ["", "0001", "000100"])
def test_a_category_whose_path_does_not_fit_its_depth_is_refused(path: str) -> None:
    with pytest.raises(RowCorrupt, match="path"):
        CATEGORIES.forward({tables.CATEGORY.name: (category(path=path),)}, {})


def test_a_type_keeps_the_rows_of_options_that_stay() -> None:
    links: tuple[Row, ...] = tuple({"id": n, "productclass_id": 3, "option_id": n} for n in (1, 2))
    root: Row = {"id": 3, "name": "B", "slug": "b", "requires_shipping": True, "track_stock": True}
    rows: AggregateRows = {tables.CLASS.name: (root,), tables.CLASS_OPTION.name: links}
    doc = TYPES.forward(rows, {})
    fewer = msgspec.structs.replace(doc, option_ids=(oscar_id("option", "2"),))

    back = TYPES.reverse(fewer, rows, {doc.id: "3", oscar_id("option", "2"): "2"})

    assert back[tables.CLASS_OPTION.name] == (links[1],)
