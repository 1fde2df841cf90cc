"""Both databases, without anything of Banyan's in between."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pymysql

from tests.ledger.books import Booked

_STATUSES = {
    "Pending": "placed", "Being processed": "processing", "Complete": "completed",
    "Cancelled": "cancelled",
}  # fmt: skip
_LEGACY_ORDERS = """
SELECT o.guest_email, o.number, o.total_incl_tax, COALESCE(SUM(l.quantity), 0), COUNT(l.id),
  o.status
FROM order_order o LEFT JOIN order_line l ON l.order_id = o.id
WHERE o.guest_email LIKE 'w%@example.com'
GROUP BY o.id, o.guest_email, o.number, o.total_incl_tax, o.status
"""
_CORE_ORDERS = """
SELECT o.email, o.number, o.total_minor, COALESCE(SUM(l.quantity), 0), COUNT(l.id), o.status
FROM sales_order o LEFT JOIN order_line l ON l.order_id = o.id
WHERE o.email LIKE 'w%@example.com'
GROUP BY o.id, o.email, o.number, o.total_minor, o.status
"""


def legacy_orders(url: str) -> list[Booked]:
    """The writers' orders in oscar."""
    return [
        Booked(str(row[0]), str(row[1]), round(float(row[2]) * 100), int(row[3]), int(row[4]),
               _STATUSES.get(str(row[5]), str(row[5])))
        for row in run(url, _LEGACY_ORDERS)
    ]  # fmt: skip


def core_orders(url: str) -> list[Booked]:
    """The writers' orders in the core."""
    return [
        Booked(str(row[0]), str(row[1]), int(row[2]), int(row[3]), int(row[4]), str(row[5]))
        for row in run(url, _CORE_ORDERS)
    ]


def run(url: str, *statements: str) -> list[Any]:
    """Rows of the last statement; all of them in one transaction, where the database can."""
    if url.startswith("sqlite"):
        return _run_sqlite(url, statements)
    if url.startswith("postgresql"):
        return asyncio.run(_run_postgresql(url, statements))
    with contextlib.closing(maria_session(url)) as maria:
        cursor = maria.cursor()
        found: list[Any] = []
        for statement in statements:
            cursor.execute(statement)
            found = list(cursor.fetchall())
        maria.commit()
        return found


def _run_sqlite(url: str, statements: tuple[str, ...]) -> list[Any]:
    with contextlib.closing(sqlite_session(url)) as file:
        found: list[Any] = []
        is_reading = all(one.lstrip().startswith("SELECT") for one in statements)
        file.execute("BEGIN" if is_reading else "BEGIN IMMEDIATE")
        for statement in statements:
            found = file.execute(statement).fetchall()
        file.execute("COMMIT")
        return found


async def _run_postgresql(url: str, statements: tuple[str, ...]) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        found: list[Any] = []
        async with connection.transaction():
            for statement in statements:
                found = [tuple(row) for row in await connection.fetch(statement)]
        return found
    finally:
        await connection.close()


def sqlite_session(url: str) -> sqlite3.Connection:
    """A connection that begins no transaction by itself."""
    return sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30, isolation_level=None)


def is_locked(url: str) -> bool:
    """Whether somebody has a SQLite file's only write lock, and keeps it for a while."""
    if not url.startswith("sqlite"):
        return False
    path = url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, timeout=2, isolation_level=None)) as file:
        try:
            file.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        file.execute("ROLLBACK")
        return False


def maria_session(url: str) -> pymysql.Connection[Any]:
    """A connection of root."""
    parts = urlsplit(url)
    return pymysql.connect(
        host="127.0.0.1", port=int(parts.port or 0), user="root", database=parts.path[1:]
    )


def port_of(url: str) -> int:
    """Of the server that a URL names; 0 for a file."""
    return 0 if url.startswith("sqlite") else int(urlsplit(url).port or 0)


def through(url: str, port: int) -> str:
    """The same database behind another port of loopback."""
    return url.replace(f":{port_of(url)}/", f":{port}/")
