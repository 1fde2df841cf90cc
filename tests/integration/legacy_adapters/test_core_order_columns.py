"""Every column of a real shop's customers and orders is known here, with its type."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from legacy_adapters.mapping.rows import Column, ColumnKind, Table
from legacy_adapters.oscar.mapping import sync_customer_tables, sync_order_tables
from tests.contract.legacy_adapters.shops import Shop, prepare_shop

pytestmark = pytest.mark.integration

SHAPES = (sync_customer_tables.SHAPE, sync_order_tables.SHAPE)
NOT_OURS = {
    "order_paymenteventtype": "words of the shop, which events point at",
    "order_shippingeventtype": "words of the shop, which events point at",
    "payment_sourcetype": "words of the shop, which payments point at",
    "payment_bankcard": "the API keeps no cards, and the core must not",
}
KINDS: Mapping[str, ColumnKind] = {
    "integer": ColumnKind.INTEGER,
    "bigint": ColumnKind.INTEGER,
    "integer unsigned": ColumnKind.INTEGER,
    "bool": ColumnKind.BOOLEAN,
    "datetime": ColumnKind.MOMENT,
    "decimal": ColumnKind.DECIMAL,
    "text": ColumnKind.TEXT,
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return prepare_shop(tmp_path_factory.mktemp("oscar"))


def columns(database: Path, table: str) -> dict[str, ColumnKind]:
    with sqlite3.connect(database) as connection:
        found = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return {row[1]: KINDS.get(row[2].lower(), ColumnKind.TEXT) for row in found}


def kinds(table: Table) -> dict[str, ColumnKind]:
    same = {ColumnKind.JSON: ColumnKind.TEXT, ColumnKind.NUMBER: ColumnKind.DECIMAL}

    def plain(column: Column) -> ColumnKind:
        return same.get(column.kind, column.kind)

    return {name: plain(column) for name, column in table.columns.items()}


def tables() -> Iterable[Table]:
    return (table for shape in SHAPES for table in shape.tables)


def test_every_column_is_declared_with_its_type(shop: Shop) -> None:
    real = {table.name: columns(shop.database, table.name) for table in tables()}

    assert {table.name: kinds(table) for table in tables()} == real


def test_no_table_of_orders_is_forgotten(shop: Shop) -> None:
    with sqlite3.connect(shop.database) as connection:
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' "
            "AND (name LIKE 'order\\_%' ESCAPE '\\' OR name LIKE 'payment\\_%' ESCAPE '\\')"
        ).fetchall()

    ours = {table.name for table in tables()} | NOT_OURS.keys()
    assert {name for (name,) in found} <= ours
