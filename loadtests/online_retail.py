"""Fills an oscar shop on MariaDB with a year of a real shop's orders.

    python -m loadtests.online_retail --data online_retail.csv.gz --shop mysql://root@host/oscar

The data is UCI Online Retail (Chen, D., 2015, UCI Machine Learning Repository, CC BY 4.0):
541,909 lines of 25,900 invoices by 4,372 customers of 4,070 articles. It is written into the
tables that oscar's own migrations made, with SQL, as a shop with a past would have them.

Three things have no place in oscar's tables. A quantity there is never negative: a returned line
keeps its size, and its invoice is Cancelled. Nor is a price: two invoices write off bad debt, and
are Cancelled with that amount. And prices have two digits: of 541,909 four have three, and are
rounded.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

CENT = Decimal("0.01")
_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Sold:
    """One line of an invoice."""

    sku: str
    title: str
    quantity: int
    unit: Decimal
    sum: Decimal


@dataclass(slots=True)
class Invoice:
    """An order, as the shop's books have it."""

    number: str
    placed_at: str
    customer: str
    lines: list[Sold] = field(default_factory=list)
    is_debt: bool = False

    @property
    def is_returned(self) -> bool:
        """Credit notes begin with a C; a debt that is written off counts as one."""
        return self.number.startswith("C") or self.is_debt

    @property
    def total(self) -> Decimal:
        """What it cost."""
        return sum((line.sum for line in self.lines), Decimal(0))


def read(path: Path) -> list[Invoice]:
    """All invoices in the order of the file."""
    found: dict[str, Invoice] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            number = row["InvoiceNo"]
            if number not in found:
                customer = row["CustomerID"].partition(".")[0]
                found[number] = Invoice(number, row["InvoiceDate"], customer)
            quantity = abs(int(row["Quantity"]))
            unit = Decimal(row["UnitPrice"]).quantize(CENT, ROUND_HALF_EVEN)
            found[number].is_debt |= unit < 0
            unit = abs(unit)
            found[number].lines.append(
                Sold(row["StockCode"], row["Description"][:255], quantity, unit, unit * quantity)
            )
    return list(found.values())


def load(connection: pymysql.Connection[Any], invoices: Sequence[Invoice]) -> tuple[int, int]:
    """Write everything; numbers of orders and lines. The shop's own goods stay."""
    skus = {line.sku: line for invoice in invoices for line in invoice.lines}
    people = sorted({invoice.customer for invoice in invoices if invoice.customer})
    with closing(connection.cursor()) as cursor:
        cursor.execute("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,STRICT_ALL_TABLES'")
        first = _goods(cursor, skus)
        user_of = _people(cursor, people)
        connection.commit()
        count = _orders(cursor, invoices, user_of, first, {sku: n for n, sku in enumerate(skus)})
        connection.commit()
    return len(invoices), count


def _goods(cursor: Any, skus: dict[str, Sold]) -> tuple[int, int, int]:
    """Products with their stock records; the partner's id and the first id of each."""
    cursor.execute("INSERT INTO partner_partner (code, name) VALUES ('retail', 'Online Retail')")
    partner = int(cursor.lastrowid)
    cursor.execute("SELECT MIN(id) FROM catalogue_productclass")
    (of_class,) = cursor.fetchone()
    product, record = _next(cursor, "catalogue_product"), _next(cursor, "partner_stockrecord")
    at = "2010-12-01 00:00:00"
    _insert(
        cursor,
        "catalogue_product",
        "id structure upc title slug description date_created date_updated is_discountable "
        "product_class_id is_public priority",
        (
            (product + n, "standalone", f"retail-{n}", line.title or sku, f"retail-{n}", "", at, at,
             1, of_class, 1, 0)
            for n, (sku, line) in enumerate(skus.items())
        ),
    )  # fmt: skip
    _insert(
        cursor,
        "partner_stockrecord",
        "id partner_sku price num_in_stock num_allocated date_created date_updated partner_id "
        "product_id price_currency",
        (
            (record + n, f"retail-{n}-{sku}", line.unit, 1_000, 0, at, at, partner, product + n,
             "GBP")
            for n, (sku, line) in enumerate(skus.items())
        ),
    )  # fmt: skip
    return partner, product, record


def _people(cursor: Any, people: Sequence[str]) -> dict[str, int]:
    first = _next(cursor, "auth_user")
    _insert(
        cursor,
        "auth_user",
        "id password is_superuser username last_name email is_staff is_active date_joined "
        "first_name",
        (
            (first + n, "!", 0, f"customer-{one}", one, f"customer-{one}@example.com", 0, 1,
             "2010-12-01 00:00:00", "Customer")
            for n, one in enumerate(people)
        ),
    )  # fmt: skip
    return {one: first + n for n, one in enumerate(people)}


def _orders(
    cursor: Any,
    invoices: Sequence[Invoice],
    user_of: dict[str, int],
    first: tuple[int, int, int],
    place: dict[str, int],
) -> int:
    partner, product, record = first
    order, line_id = _next(cursor, "order_order"), _next(cursor, "order_line")
    _insert(
        cursor,
        "order_order",
        "id number currency total_incl_tax total_excl_tax shipping_incl_tax shipping_excl_tax "
        "shipping_method shipping_code status guest_email date_placed user_id analytics_tracked",
        (
            (order + n, f"UCI-{one.number}", "GBP", one.total, one.total, 0, 0, "Free shipping",
             "free-shipping", _status(one), "" if one.customer else "guest@example.com",
             one.placed_at, user_of.get(one.customer), 0)
            for n, one in enumerate(invoices)
        ),
    )  # fmt: skip

    def lines() -> Iterator[tuple[Any, ...]]:
        number = line_id
        for n, one in enumerate(invoices):
            for line in one.lines:
                at = place[line.sku]
                yield (
                    number, "Online Retail", line.sku, "", "", line.title or line.sku,
                    line.quantity, line.sum, line.sum, line.sum, line.sum, line.unit, line.unit,
                    _status(one), order + n, partner, product + at, record + at, 0, 0,
                )  # fmt: skip
                number += 1

    return _insert(
        cursor,
        "order_line",
        "id partner_name partner_sku partner_line_reference partner_line_notes title quantity "
        "line_price_incl_tax line_price_excl_tax line_price_before_discounts_incl_tax "
        "line_price_before_discounts_excl_tax unit_price_incl_tax unit_price_excl_tax status "
        "order_id partner_id product_id stockrecord_id allocation_cancelled num_allocated",
        lines(),
    )


def _status(invoice: Invoice) -> str:
    return "Cancelled" if invoice.is_returned else "Complete"


def _next(cursor: Any, table: str) -> int:
    cursor.execute(f"SELECT COALESCE(MAX(id), 0) + 1 FROM {table}")  # noqa: S608 - own names
    (found,) = cursor.fetchone()
    return int(found)


def _insert(cursor: Any, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> int:
    names = columns.split()
    marks = ", ".join(["%s"] * len(names))
    listed = ", ".join(f"`{name}`" for name in names)
    statement = f"INSERT INTO {table} ({listed}) VALUES ({marks})"  # noqa: S608 - own names
    count, rest = 0, iter(rows)
    while chunk := list(islice(rest, _CHUNK)):
        cursor.executemany(statement, chunk)
        count += len(chunk)
    return count


def connect(url: str) -> pymysql.Connection[Any]:
    """A connection to a shop by URL."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=unquote(parts.username or "root"),
        password=unquote(parts.password or ""),
        database=parts.path.lstrip("/"),
        charset="utf8mb4",
    )


def main() -> int:
    """Load the file into the shop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="online_retail.csv.gz")
    parser.add_argument("--shop", required=True, help="mysql://user:password@host:port/database")
    parser.add_argument("--first", type=int, default=0, help="only so many invoices")
    options = parser.parse_args()
    if not options.data.is_file():
        print(f"there is no {options.data}; it is UCI's Online Retail as CSV", file=sys.stderr)
        return 1
    with closing(connect(options.shop)) as connection:
        orders, lines = load(connection, read(options.data)[: options.first or None])
    print(f"loaded {orders:,} orders with {lines:,} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
