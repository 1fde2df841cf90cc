"""Oscar's catalogue as a source of records: SQL here, meaning in the mapping."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.oscar.database import Cells, OscarDatabase, chunks
from legacy_adapters.oscar.mapping import records
from legacy_adapters.oscar.mapping.columns import COLUMNS
from legacy_adapters.oscar.mapping.records import ProductRows
from legacy_adapters.ports import Entry, Kind, Readable, Unreadable
from new_core.domain.catalog import PATH_STEP
from new_core.domain.money import MICRO


def _table(name: str) -> sa.TableClause:
    return sa.table(name, *(sa.column(column) for column in COLUMNS[name]))


_CLASS = _table("catalogue_productclass")
_CLASS_OPTION = _table("catalogue_productclass_options")
_OPTION = _table("catalogue_option")
_ATTRIBUTE = _table("catalogue_productattribute")
_CATEGORY = _table("catalogue_category")
_ABOVE = _CATEGORY.alias("above")
_PARTNER = _table("partner_partner")
_PRODUCT = _table("catalogue_product")
_PARENT = _PRODUCT.alias("parent")
_VALUE = _table("catalogue_productattributevalue")
_LABEL = _table("catalogue_attributeoption")
_CHOICE = _table("catalogue_productattributevalue_value_multi_option")
_PRODUCT_CATEGORY = _table("catalogue_productcategory")
_PRODUCT_OPTION = _table("catalogue_product_product_options")
_RECOMMENDATION = _table("catalogue_productrecommendation")
_IMAGE = _table("catalogue_productimage")
_STOCK = _table("partner_stockrecord")

_KIND_TABLES = {
    Kind.OPTION: _OPTION,
    Kind.PRODUCT_TYPE: _CLASS,
    Kind.ATTRIBUTE: _ATTRIBUTE,
    Kind.CATEGORY: _CATEGORY,
    Kind.WAREHOUSE: _PARTNER,
    Kind.PRODUCT: _PRODUCT,
    Kind.VARIANT: _PRODUCT,
}

Map = Callable[[Sequence[Cells]], Awaitable[list[Callable[[], Readable]]]]


class OscarSource:
    """Catalogue, prices and stock of an oscar shop.

    Rows come by ascending key; categories by path, so that each comes after the one above it.
    """

    system = records.SYSTEM

    def __init__(self, database: OscarDatabase) -> None:
        self._db = database

    async def count(self, kind: Kind) -> int:
        table = _KIND_TABLES[kind]
        statement = sa.select(sa.func.count()).select_from(table).where(*_of_kind(kind))
        return int(await self._db.value(statement))

    async def page(self, kind: Kind, after: str, size: int) -> tuple[Entry, ...]:
        statement = _select(kind).limit(size)
        if kind is Kind.CATEGORY:
            statement = statement.where(_CATEGORY.c.path > after)
            rows = await self._db.rows(statement.order_by(_CATEGORY.c.path))
        else:
            key = _KIND_TABLES[kind].c.id
            statement = statement.where(key > int(after or 0))
            rows = await self._db.rows(statement.order_by(key))
        return await self._entries(kind, rows)

    async def some(self, kind: Kind, external_ids: Collection[str]) -> tuple[Entry, ...]:
        keys = [int(one) for one in external_ids]
        rows = await self._db.rows_in(_select(kind), _KIND_TABLES[kind].c.id, keys)
        return await self._entries(kind, rows)

    async def present(self, kind: Kind, external_ids: Collection[str]) -> frozenset[str]:
        key = _KIND_TABLES[kind].c.id
        keys = [int(one) for one in external_ids]
        rows = await self._db.rows_in(sa.select(key), key, keys)
        return frozenset(str(row["id"]) for row in rows)

    async def totals(self, without: Collection[str]) -> Mapping[str, int]:
        whole = await self._sums([])
        for part in chunks([int(one) for one in without]):
            left_out = await self._sums([_PRODUCT.c.id.in_(part)])
            whole = {name: whole[name] - left_out[name] for name in whole}
        return whole

    async def _sums(self, where: Sequence[sa.ColumnElement[bool]]) -> dict[str, int]:
        stock = _STOCK.c
        counted = sa.select(sa.func.count().label("products")).select_from(_PRODUCT).where(*where)
        summed = (
            sa.select(
                sa.func.count().label("stock_records"),
                sa.func.sum(stock.num_in_stock).label("on_hand"),
                sa.func.sum(stock.num_allocated).label("reserved"),
                # A sum of floats on SQLite is off by less than half a millionth per row
                # when each row is rounded first.
                sa.func.sum(sa.func.round(stock.price * MICRO)).label("price_micro"),
            )
            .select_from(_STOCK.join(_PRODUCT, _PRODUCT.c.id == stock.product_id))
            .where(*where)
        )
        (first,) = await self._db.rows(counted)
        (second,) = await self._db.rows(summed)
        return {name: _whole(value) for name, value in {**first, **second}.items()}

    async def _entries(self, kind: Kind, rows: Sequence[Cells]) -> tuple[Entry, ...]:
        if not rows:
            return ()
        if kind in (Kind.PRODUCT, Kind.VARIANT):
            makers = await self._products(rows)
        elif kind is Kind.PRODUCT_TYPE:
            makers = await self._types(rows)
        else:
            simple = _SIMPLE[kind]
            makers = [_later(simple, row) for row in rows]
        position = "path" if kind is Kind.CATEGORY else "id"
        return tuple(
            Entry(str(row["id"]), str(row[position]), _outcome(make))
            for row, make in zip(rows, makers, strict=True)
        )

    async def _types(self, rows: Sequence[Cells]) -> list[Callable[[], Readable]]:
        links = await self._by(_CLASS_OPTION, "productclass_id", [row["id"] for row in rows])
        return [_later(records.product_type, row, links[row["id"]]) for row in rows]

    async def _products(self, rows: Sequence[Cells]) -> list[Callable[[], Readable]]:
        keys = [row["id"] for row in rows]
        values = await self._values(keys)
        choices = await self._choices([one["id"] for some in values.values() for one in some])
        categories = await self._by(_PRODUCT_CATEGORY, "product_id", keys)
        images = await self._by(_IMAGE, "product_id", keys)
        options = await self._by(_PRODUCT_OPTION, "product_id", keys)
        others = await self._by(_RECOMMENDATION, "primary_id", keys)
        stock = await self._by(_STOCK, "product_id", keys)
        return [
            _later(
                records.product,
                ProductRows(
                    product=row,
                    values=values[row["id"]],
                    choices=choices,
                    categories=categories[row["id"]],
                    images=images[row["id"]],
                    options=options[row["id"]],
                    recommendations=others[row["id"]],
                    stock=stock[row["id"]],
                ),
            )
            for row in rows
        ]

    async def _by(
        self, table: sa.TableClause, owner: str, keys: Collection[int]
    ) -> dict[int, list[Cells]]:
        statement = sa.select(table).order_by(table.c.id)
        return _grouped(await self._db.rows_in(statement, table.c[owner], keys), owner)

    async def _values(self, keys: Collection[int]) -> dict[int, list[Cells]]:
        statement = (
            sa.select(
                _VALUE,
                _ATTRIBUTE.c.type.label("attribute_type"),
                _LABEL.c.option.label("option_label"),
            )
            .select_from(
                _VALUE.outerjoin(_ATTRIBUTE, _ATTRIBUTE.c.id == _VALUE.c.attribute_id).outerjoin(
                    _LABEL, _LABEL.c.id == _VALUE.c.value_option_id
                )
            )
            .order_by(_VALUE.c.id)
        )
        return _grouped(await self._db.rows_in(statement, _VALUE.c.product_id, keys), "product_id")

    async def _choices(self, keys: Collection[int]) -> dict[int, list[str]]:
        owner = "productattributevalue_id"
        statement = (
            sa.select(_CHOICE.c[owner], _LABEL.c.option)
            .select_from(_CHOICE.join(_LABEL, _LABEL.c.id == _CHOICE.c.attributeoption_id))
            .order_by(_CHOICE.c.id)
        )
        found: dict[int, list[str]] = defaultdict(list)
        for row in await self._db.rows_in(statement, _CHOICE.c[owner], keys):
            found[row[owner]].append(row["option"])
        return found


def _of_kind(kind: Kind) -> tuple[sa.ColumnElement[bool], ...]:
    """Parents come as products and before their variants, whatever their keys."""
    match kind:
        case Kind.PRODUCT:
            return (_PRODUCT.c.parent_id.is_(None),)
        case Kind.VARIANT:
            return (_PRODUCT.c.parent_id.is_not(None),)
        case _:
            return ()


def _select(kind: Kind) -> sa.Select[Any]:
    if kind is Kind.CATEGORY:
        path = _CATEGORY.c.path
        above = sa.func.substr(path, 1, sa.func.length(path) - PATH_STEP)
        return sa.select(_CATEGORY, _ABOVE.c.id.label("parent_key")).select_from(
            _CATEGORY.outerjoin(_ABOVE, _ABOVE.c.path == above)
        )
    if kind is Kind.VARIANT:
        return (
            sa.select(_PRODUCT, _PARENT.c.structure.label("parent_structure"))
            .select_from(_PRODUCT.outerjoin(_PARENT, _PARENT.c.id == _PRODUCT.c.parent_id))
            .where(*_of_kind(kind))
        )
    return sa.select(_KIND_TABLES[kind]).where(*_of_kind(kind))


_SIMPLE: Mapping[Kind, Callable[[Cells], Readable]] = {
    Kind.OPTION: records.option,
    Kind.ATTRIBUTE: records.attribute,
    Kind.CATEGORY: records.category,
    Kind.WAREHOUSE: records.warehouse,
}


def _later(make: Callable[..., Readable], *arguments: Any) -> Callable[[], Readable]:
    return lambda: make(*arguments)


def _outcome(make: Callable[[], Readable]) -> Readable | Unreadable:
    try:
        return make()
    except RowCorrupt as exc:
        return Unreadable(str(exc))


def _grouped(rows: Sequence[Cells], owner: str) -> dict[int, list[Cells]]:
    grouped: dict[int, list[Cells]] = defaultdict(list)
    for row in rows:
        grouped[row[owner]].append(row)
    return grouped


def _whole(value: Any) -> int:
    """A sum as an integer: databases answer None, integers, decimals or floats."""
    return 0 if value is None else int(Decimal(str(value)))
