"""How many documents are made of a legacy's rows in a second of CPU on one core.

The rows are oscar's own, read from an oscar shop by the snapshot that backfill reads; what is
measured is what a stream does with them between its databases: mapping, names, and the canonical
bytes by which both sides are compared. Neither database is in it.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from legacy_adapters.capture.sqlite import SqliteSource
from legacy_adapters.mapping.aggregates import AggregateRows
from legacy_adapters.mapping.canonical import canonical_bytes
from legacy_adapters.mapping.versions import Side
from legacy_adapters.oscar.kinds import KINDS
from legacy_adapters.ports.documents import Kind
from legacy_adapters.service.comparing_sides import read_aggregates
from legacy_adapters.storage.fences_open import open_fences
from loadtests.bench_data_figures import Seen
from loadtests.bench_data_stores import STORE
from loadtests.bench_processes import BenchError
from loadtests.bench_report import Goal

FLAT_GOAL = 10_000.0
_ROUNDS = 5
_PAGE = 5_000
_KINDS = ("customer", "stock_record", "product", "order")
_BY_NAME: Mapping[str, Kind[Any]] = {one.name: one for one in KINDS}
_FIRST = 100_000
_USER = "INSERT INTO auth_user (id, password, is_superuser, username, last_name, email, is_staff, \
is_active, date_joined, first_name) VALUES (?, '!x', 0, ?, 'Hill', ?, 0, 1, '2026-01-02 03:04:05', \
'Zoë')"
_ORDER = "INSERT INTO order_order (id, number, currency, total_incl_tax, total_excl_tax, \
shipping_incl_tax, shipping_excl_tax, shipping_method, shipping_code, status, guest_email, \
date_placed, site_id, user_id, analytics_tracked) VALUES (?, ?, 'GBP', ?, ?, 0, 0, 'Free', 'free', \
'Pending', '', '2026-01-31 09:10:11.123456', 1, ?, 0)"
_LINE = "INSERT INTO order_line (id, partner_name, partner_sku, partner_line_reference, \
partner_line_notes, title, quantity, line_price_incl_tax, line_price_excl_tax, \
line_price_before_discounts_incl_tax, line_price_before_discounts_excl_tax, unit_price_incl_tax, \
unit_price_excl_tax, status, order_id, partner_id, product_id, stockrecord_id, \
allocation_cancelled, num_allocated) VALUES (?, 'P', 'sku', '', '', 'Café Müller', 2, 20, 20, 20, \
20, 10, 10, 'Pending', ?, 2, 6, 1, 0, 0)"


def run(folder: Path, environment: Mapping[str, str], *, small: bool) -> Seen:
    """Documents per second of CPU, kind by kind.

    Raises:
        BenchError: the store cannot be prepared.
    """
    folder.mkdir(parents=True)
    file = _shop(folder, environment, 200 if small else 5_000)
    read = asyncio.run(_read(file))
    found = {name.replace("_", " "): _rate(name, read[name]) for name in _KINDS if name != "order"}
    for lines in (1, 21):
        some = [one for one in read["order"] if len(one["order_line"]) == lines]
        found[f"order of {lines} line{'s' * (lines > 1)}"] = _rate("order", some)
    flat = min(found["customer"], found["stock record"])
    told = ", ".join(f"{name} {rate:,.0f}" for name, rate in found.items())
    return Seen(
        [
            Goal(
                "flat aggregates projected, per second of CPU", flat, FLAT_GOAL, "/s", is_floor=True
            )
        ],
        [f"projection, documents per second of CPU on one core: {told}"],
        {"per_cpu_s": found},
    )


def _rate(kind: str, aggregates: Sequence[AggregateRows]) -> float:
    """The median round's rate."""
    translation = _BY_NAME[kind].translation
    rates = []
    for _ in range(_ROUNDS):
        began_s = time.process_time()
        for rows in aggregates:
            for _name in translation.refers(rows):
                pass
            canonical_bytes(translation.forward(rows, {}))
            translation.names(rows, {})
        rates.append(len(aggregates) / (time.process_time() - began_s))
    return statistics.median(rates)


async def _read(file: Path) -> dict[str, list[AggregateRows]]:
    """All aggregates of the kinds that are measured, as backfill and comparison read them."""
    url = f"sqlite:///{file}"
    tables = [table for name in _KINDS for table in _BY_NAME[name].translation.shape.tables]
    source, gate = SqliteSource(url, tables, "legacy"), open_fences(url, Side.LEGACY)
    found: dict[str, list[AggregateRows]] = {}
    try:
        await gate.install({"bench": tables}, Side.LEGACY)
        await source.prepare()
        async with source.snapshot() as snapshot:
            for name in _KINDS:
                found[name] = []
                shape, after = _BY_NAME[name].translation.shape, None
                while rows := await snapshot.page(shape.root, after, _PAGE):
                    read = await read_aggregates(snapshot, shape, rows)
                    found[name] += read.values()
                    after = list(read)[-1]
    finally:
        await source.close()
        await gate.close()
    return found


def _shop(folder: Path, environment: Mapping[str, str], many: int) -> Path:
    """An oscar on a file, with so many more customers and orders, one order in 21 a long one."""
    done = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-m", STORE, "prepare", "--dir", str(folder / "store")],
        check=False, capture_output=True, text=True, env=dict(environment),
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"the store is not prepared: {done.stderr.strip()}")
    file = folder / "shop.sqlite3"
    shutil.copy(folder / "store" / "oscar.sqlite3", file)
    with closing(sqlite3.connect(file)) as shop:
        keys = range(_FIRST, _FIRST + many)
        shop.executemany(_USER, ((n, f"user{n}", f"user{n}@example.com") for n in keys))
        shop.executemany(_ORDER, ((n, f"B{n}", 20 * _lines(n), 20 * _lines(n), n) for n in keys))
        shop.executemany(_LINE, _line_rows(keys))
        shop.commit()
    return file


def _lines(order: int) -> int:
    return 21 if order % 21 == 0 else 1


def _line_rows(orders: Sequence[int]) -> Iterator[tuple[int, int]]:
    number = _FIRST
    for order in orders:
        for _ in range(_lines(order)):
            yield number, order
            number += 1
