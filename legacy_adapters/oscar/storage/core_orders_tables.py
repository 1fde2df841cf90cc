"""The core's tables as tables of a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from legacy_adapters.mapping.aggregates import Child, Shape
from legacy_adapters.mapping.rows import Column, ColumnKind, Table
from new_core.storage import UtcDateTime
from new_core.storage.tables.customers import customer, customer_address
from new_core.storage.tables.orders import order_line, sales_order

_KINDS: Mapping[type[Any], ColumnKind] = {
    UtcDateTime: ColumnKind.MOMENT,
    sa.Uuid: ColumnKind.UUID,
    sa.Boolean: ColumnKind.BOOLEAN,
    sa.Integer: ColumnKind.INTEGER,
}


def described(table: sa.Table) -> Table:
    """A table of the core by name, key and columns; what is none of the rest is text, JSON too."""

    def column(one: sa.Column[Any]) -> Column:
        kinds = [kind for type_, kind in _KINDS.items() if isinstance(one.type, type_)]
        return Column(kinds[0] if kinds else ColumnKind.TEXT)

    key = tuple(one.name for one in table.primary_key)
    return Table(table.name, key, {one.name: column(one) for one in table.columns})


ORDERS = Shape("order", described(sales_order), (Child(described(order_line), "order_id"),))
CUSTOMERS = Shape(
    "customer", described(customer), (Child(described(customer_address), "customer_id"),)
)
