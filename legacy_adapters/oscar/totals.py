"""Business totals of an oscar shop and of the core, by SQL that shares nothing with the mapping.

An algorithm cannot verify itself: a mapping that reads a column wrongly reads it wrongly in
every comparison that it is part of. These statements know both schemas by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.errors import SourceUnavailable
from legacy_adapters.mapping.versions import Side

Sums = Mapping[tuple[str, ...], tuple[int, ...]]
"""What is summed up, by what it is summed up for."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums that must be equal on both sides.

    Attributes:
        per: what the first columns of both statements are.
        sums: what the others are; whole numbers.
        legacy, core: statements. {day[x]} is the day of a moment in UTC as text, {whole[x]} an
            amount in ten-thousandths as a whole number, {minor[x]} the same of minor units.
    """

    name: str
    domain: str
    per: tuple[str, ...]
    sums: tuple[str, ...]
    legacy: str
    core: str


# Digits behind the point of currencies that have not two.
_MINOR = """{0} * (CASE WHEN o.currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF',
    'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 10000
    WHEN o.currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 10
    WHEN o.currency IN ('CLF', 'UYW') THEN 1 ELSE 100 END)"""

ALL: Sequence[Totals] = (
    Totals(
        "orders",
        "orders",
        ("day", "currency", "status"),
        ("orders", "amount_10000", "units"),
        """
        SELECT {day[o.date_placed]}, o.currency, o.status, COUNT(*),
            SUM({whole[o.total_incl_tax]}),
            SUM((SELECT COALESCE(SUM(l.quantity), 0) FROM order_line l WHERE l.order_id = o.id))
        FROM order_order o GROUP BY 1, 2, 3""",
        """
        SELECT {day[COALESCE(o.placed_at, o.created_at)]}, o.currency,
            CASE WHEN o.status IN ('processing', 'on_hold') THEN 'Being processed'
                WHEN o.status = 'completed' THEN 'Complete'
                WHEN o.status = 'cancelled' THEN 'Cancelled' ELSE 'Pending' END,
            COUNT(*), SUM({minor[o.total_minor]}),
            SUM((SELECT COALESCE(SUM(l.quantity), 0) FROM order_line l WHERE l.order_id = o.id))
        FROM sales_order o GROUP BY 1, 2, 3""",
    ),
    Totals(
        "stock",
        "orders",
        ("sku",),
        ("records", "in_stock"),
        """
        SELECT partner_sku, COUNT(*), SUM(COALESCE(num_in_stock, 0))
        FROM partner_stockrecord GROUP BY 1""",
        "SELECT sku, COUNT(*), SUM(COALESCE(on_hand, 0)) FROM stock_level GROUP BY 1",
    ),
    Totals(
        "customers",
        "customers",
        ("country",),
        ("customers", "addresses"),
        """
        SELECT country_id, COUNT(DISTINCT user_id), COUNT(*)
        FROM address_useraddress GROUP BY 1""",
        """
        SELECT country, COUNT(DISTINCT customer_id), COUNT(*)
        FROM customer_address GROUP BY 1""",
    ),
    Totals(
        "orphans",
        "orders",
        (),
        ("lines_without_an_order", "stock_without_a_product"),
        """
        SELECT
            (SELECT COUNT(*) FROM order_line l LEFT JOIN order_order o ON o.id = l.order_id
                WHERE o.id IS NULL),
            (SELECT COUNT(*) FROM partner_stockrecord s
                LEFT JOIN catalogue_product p ON p.id = s.product_id WHERE p.id IS NULL)""",
        """
        SELECT
            (SELECT COUNT(*) FROM order_line l LEFT JOIN sales_order o ON o.id = l.order_id
                WHERE o.id IS NULL),
            (SELECT COUNT(*) FROM stock_level s LEFT JOIN variant v ON v.id = s.variant_id
                WHERE v.id IS NULL)""",
    ),
)

_DAY = {
    "sqlite": "substr({0}, 1, 10)",
    "postgresql": "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    "mysql": "date_format({0}, '%Y-%m-%d')",
}
_WHOLE = {
    "sqlite": "CAST(ROUND(({0}) * 10000) AS INTEGER)",
    "postgresql": "CAST(ROUND(({0}) * 10000) AS BIGINT)",
    # Summed as text it would be a DOUBLE, and every large sum would differ.
    "mysql": "CAST(ROUND(({0}) * 10000) AS SIGNED)",
}


class _Spelled(dict[str, str]):
    """Gives {day[x]} its dialect's spelling."""

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self._pattern = pattern

    def __missing__(self, expression: str) -> str:
        return self._pattern.format(expression)


def statement(totals: Totals, side: Side, dialect: str) -> str:
    """The statement of one side as its database understands it."""
    text = totals.legacy if side is Side.LEGACY else totals.core
    return text.format(
        day=_Spelled(_DAY[dialect]), whole=_Spelled(_WHOLE[dialect]), minor=_Spelled(_MINOR)
    )


async def sums_of(engine: AsyncEngine, totals: Totals, side: Side) -> Sums:
    """Ask one database.

    Raises:
        SourceUnavailable: it did not answer, or it is no such shop.
    """
    text = statement(totals, side, engine.dialect.name)
    count = len(totals.per)
    try:
        async with engine.connect() as connection:
            rows = (await connection.exec_driver_sql(text.replace("%", "%%"))).all()
    except (sa.exc.ArgumentError, SQLAlchemyError, OSError) as exc:
        raise SourceUnavailable(f"totals of {totals.name} cannot be read: {exc}") from exc
    return {
        tuple(str(cell) for cell in row[:count]): tuple(int(cell or 0) for cell in row[count:])
        for row in rows
    }
