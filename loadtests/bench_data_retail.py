"""A year of a real shop: carried into the core, compared there, and compared by somebody else."""

# ruff: noqa: S608 - SQL by hand, of our own names and of keys that the databases gave

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtests.bench_data_figures import MEMORY_GOAL_MIB, Seen, read_namidiff, values_of
from loadtests.bench_data_servers import connect, query
from loadtests.bench_data_stores import Ran, Stores, peak_mib
from loadtests.bench_processes import BenchError, cpu_s
from loadtests.bench_report import Goal

BACKFILL_GOAL_S, RECONCILE_GOAL_S = 180.0, 60.0
_TOUCHED = ("sales_order", "order_line")
_STATUSES = "CASE status WHEN 'Complete' THEN 'completed' WHEN 'Cancelled' THEN 'cancelled' END"
_MINOR = "CAST(ROUND({} * 100) AS SIGNED)"
_ORDERS_OF_OSCAR = f"""
CREATE TABLE bench_order (PRIMARY KEY (id)) SELECT CAST(id AS SIGNED) AS id, number,
  {_STATUSES} AS status, {_MINOR.format("total_excl_tax")} AS net_minor,
  {_MINOR.format("total_incl_tax")} AS total_minor
FROM order_order WHERE number LIKE 'UCI-%'
"""
_LINES_OF_OSCAR = f"""
CREATE TABLE bench_line (PRIMARY KEY (id)) SELECT CAST(l.id AS SIGNED) AS id,
  CAST(l.order_id AS SIGNED) AS order_id, l.partner_sku AS sku,
  CAST(l.quantity AS SIGNED) AS quantity, {_MINOR.format("l.line_price_incl_tax")} AS gross_minor
FROM order_line l JOIN order_order o ON o.id = l.order_id WHERE o.number LIKE 'UCI-%'
"""
_NAMED = "JOIN external_ref {0} ON {0}.internal_id = {1}.id AND {0}.entity_type = '{2}'"
_ORDERS_OF_CORE = f"""
CREATE TABLE bench_order AS SELECT r.external_id::bigint AS id, o.number, o.status, o.net_minor,
  o.total_minor
FROM sales_order o {_NAMED.format("r", "o", "order")} WHERE o.number LIKE 'UCI-%'
"""
_LINES_OF_CORE = f"""
CREATE TABLE bench_line AS SELECT rl.external_id::bigint AS id, ro.external_id::bigint AS order_id,
  l.sku, l.quantity::bigint AS quantity, l.gross_minor
FROM order_line l JOIN sales_order o ON o.id = l.order_id
{_NAMED.format("rl", "l", "order_line")} {_NAMED.format("ro", "o", "order")}
WHERE o.number LIKE 'UCI-%'
"""
TABLES = {"bench_order": "number status net_minor total_minor",
          "bench_line": "order_id sku quantity gross_minor"}  # fmt: skip


@dataclass
class Second:
    """What namidiff said of both tables.

    Attributes:
        keys: of each table, those that differ.
    """

    elapsed_s: float = 0.0
    peak_mib: float = 0.0
    keys: dict[str, frozenset[int]] = field(default_factory=dict)


def backfill(made: Stores, data: Path, first: int) -> Seen:
    """Load the shop, then carry all of it into the core while both streams run.

    Of `first` invoices alone, or of all with 0.

    Raises:
        BenchError: something failed, or the core does not have what was loaded.
    """
    made.say("loading the shop's year into oscar's tables …")
    loaded = made.run(
        sys.executable, "-m", "loadtests.online_retail", "--data", str(data),
        "--shop", made.legacy, "--first", str(first),
    )  # fmt: skip
    if loaded.code:
        raise BenchError(f"nothing was loaded: {loaded.err.strip()[-1_000:]}")
    made.say(f"  {loaded.out.strip()} in {loaded.elapsed_s:.0f} s")
    made.begin_sync()
    made.settle()
    made.say("banyan sync backfill …")
    began_s = time.monotonic()
    made.banyan("sync", "backfill")
    staged_s = time.monotonic() - began_s
    made.settle()
    took_s = time.monotonic() - began_s
    orders, lines = _in_core(made)
    if f"{orders:,} orders with {lines:,} lines" not in loaded.out:
        raise BenchError(f"the core has {orders:,} orders with {lines:,} lines")
    applied = query(made.core, "SELECT SUM(applied) FROM mig_progress")[0][0]
    figures = {
        "orders": orders, "lines": lines, "aggregates": int(applied), "staged_s": staged_s,
        "elapsed_s": took_s, "sync_cpu_s": cpu_s([made.sync_pid]),
        "sync_peak_mib": peak_mib(made.sync_pid),
    }  # fmt: skip
    told = (
        f"backfill: {orders:,} orders with {lines:,} lines; all rows staged after {staged_s:.0f} s;"
        f" {applied:,} aggregates carried; `banyan sync run` took {figures['sync_cpu_s']:.0f} s of"
        f" CPU and at most {figures['sync_peak_mib']:.0f} MB"
    )
    name = f"backfill of {orders:,} orders, MariaDB to PostgreSQL"
    return Seen([Goal(name, took_s, BACKFILL_GOAL_S, "s")], [told], figures)


def reconcile(made: Stores) -> Seen:
    """Compare all of it, then again with differences that we made, and ask namidiff for the same.

    Raises:
        BenchError: something failed, or one of the two did not find what was made.
    """
    made.say("banyan reconcile --full …")
    equal, passes = _passes(made)
    if not all(one["is_clean"] for one in passes):
        raise BenchError(f"both sides differ before anything was seeded: {passes}")
    checked, rows = (sum(one[name] for one in passes) for name in ("checked", "rows"))
    wanted = _seed(made)
    made.say(f"  {equal.elapsed_s:.0f} s; {len(wanted)} orders are made to differ; again …")
    unequal, _ = _passes(made)
    found = _found(made)
    made.say("namidiff on the same orders, flattened to 1:1 tables …")
    second = _ask_namidiff(made)
    by_second = second.keys["bench_order"] | _orders_of(made, second.keys["bench_line"])
    for name, one in (("banyan", found), ("namidiff", by_second)):
        if one != wanted:
            raise BenchError(f"{name} found {sorted(one)}, not {sorted(wanted)}")
    goals = [
        Goal("reconcile --full of it", equal.elapsed_s, RECONCILE_GOAL_S, "s"),
        Goal("peak memory of reconcile", equal.peak_mib, MEMORY_GOAL_MIB, "MB"),
    ]
    lines = query(made.legacy, "SELECT COUNT(*) FROM bench_line")[0][0]
    compared = (
        f"reconcile: {checked:,} aggregates of {rows:,} rows, {equal.cpu_s:.0f} s of its own CPU;"
        f" with {len(wanted)} orders seeded to differ {unequal.elapsed_s:.0f} s,"
        f" {unequal.peak_mib:.0f} MB"
    )
    beside = (
        f"namidiff, the same orders as 1:1 tables (order and {lines:,} lines):"
        f" {second.elapsed_s:.0f} s, {second.peak_mib:.0f} MB;"
        f" both found the same {len(wanted)} orders and no other"
    )
    figures = {
        "aggregates": checked, "rows": rows, "equal_s": equal.elapsed_s,
        "cpu_s": equal.cpu_s, "peak_mib": equal.peak_mib, "unequal_s": unequal.elapsed_s,
        "passes": {one["domain"]: one["elapsed_s"] for one in passes},
        "seeded_orders": len(wanted), "namidiff_s": second.elapsed_s,
        "namidiff_peak_mib": second.peak_mib,
    }  # fmt: skip
    return Seen(goals, [compared, beside], figures)


def _passes(made: Stores) -> tuple[Ran, list[dict[str, Any]]]:
    ran = made.banyan("reconcile", "--full", "--json", codes=(0, 1))
    passes = values_of(ran.out)
    if not passes:
        raise BenchError(f"reconcile said nothing: {ran.err.strip()[-1_000:]}")
    return ran, passes


def _in_core(made: Stores) -> tuple[int, int]:
    rows = query(
        made.core,
        "SELECT COUNT(DISTINCT o.id), COUNT(l.id) FROM sales_order o JOIN order_line l"
        " ON l.order_id = o.id WHERE o.number LIKE 'UCI-%'",
    )
    return int(rows[0][0]), int(rows[0][1])


def _seed(made: Stores) -> frozenset[int]:
    """Make some orders of the core differ, past its fences and its log. Returns oscar's keys."""
    rows = query(
        made.core,
        "SELECT r.external_id, o.id FROM sales_order o JOIN external_ref r ON r.internal_id = o.id"
        " AND r.entity_type = 'order' WHERE o.number LIKE 'UCI-%' ORDER BY o.number",
    )
    step = max(1, len(rows) // 13)
    chosen = rows[::step][:12]
    if len(chosen) < 12:
        raise BenchError("at least 24 invoices are needed to seed differences")
    money, units, moved, gone = chosen[:4], chosen[4:8], chosen[8:10], chosen[10:]
    statements = [
        *(f"UPDATE sales_order SET net_minor = net_minor + 1, total_minor = total_minor + 1"
          f" WHERE id = '{uid}'" for _, uid in money),
        *("UPDATE order_line SET quantity = quantity + 1 WHERE id = (SELECT id FROM order_line"
          f" WHERE order_id = '{uid}' ORDER BY position LIMIT 1)" for _, uid in units),
        *("UPDATE sales_order SET status = CASE status WHEN 'completed' THEN 'cancelled'"
          f" ELSE 'completed' END WHERE id = '{uid}'" for _, uid in moved),
        *(f"DELETE FROM sales_order WHERE id = '{uid}'" for _, uid in gone),
    ]  # fmt: skip
    _unlogged(made.core, statements)
    return frozenset(int(key) for key, _ in chosen)


def _unlogged(core: str, statements: Sequence[str]) -> None:
    names = ", ".join(f"'{one}'" for one in _TOUCHED)
    connection = connect(core)
    try:
        cursor = connection.cursor()
        cursor.execute(
            f"SELECT pubname, tablename FROM pg_publication_tables WHERE tablename IN ({names})"
        )
        published = cursor.fetchall()
        cursor.execute("SELECT set_config('banyan.role', 'replicator', true)")
        for of, table in published:
            cursor.execute(f'ALTER PUBLICATION "{of}" DROP TABLE "{table}"')
        for statement in statements:
            cursor.execute(statement)
        for of, table in published:
            cursor.execute(f'ALTER PUBLICATION "{of}" ADD TABLE "{table}"')
        connection.commit()
    finally:
        connection.close()


def _found(made: Stores) -> frozenset[int]:
    ran = made.banyan("drift", "list", "orders", "--json", "--limit", "1000")
    return frozenset(int(one["key"]) for one in json.loads(ran.out) if one["kind"] == "order")


def _ask_namidiff(made: Stores) -> Second:
    query(made.legacy, _ORDERS_OF_OSCAR, _LINES_OF_OSCAR)
    keys = [f"ALTER TABLE {table} ADD PRIMARY KEY (id)" for table in TABLES]
    query(made.core, _ORDERS_OF_CORE, _LINES_OF_CORE, *keys)
    command = Path(sys.executable).with_name("namidiff")
    if not command.is_file():
        raise BenchError("namidiff is not installed: pip install -e '.[bench]'")
    second = Second()
    for table, columns in TABLES.items():
        asked = [part for name in columns.split() for part in ("-c", name)]
        # Else its lines are folded to the width of a terminal.
        ran = made.run(
            "env", "COLUMNS=100000", str(command), made.legacy, table, made.core, table,
            "-k", "id", *asked, "--json",
        )  # fmt: skip
        # It tells of its errors, and ends with 0 for all that.
        if ran.code or "ERROR" in ran.err:
            raise BenchError(f"namidiff ended with {ran.code}: {ran.err.strip()[-1_000:]}")
        second.keys[table] = read_namidiff(ran.out.splitlines())
        second.elapsed_s += ran.elapsed_s
        second.peak_mib = max(second.peak_mib, ran.peak_mib)
    return second


def _orders_of(made: Stores, lines: frozenset[int]) -> frozenset[int]:
    if not lines:
        return frozenset()
    asked = ", ".join(str(one) for one in sorted(lines))
    rows = query(
        made.legacy,
        f"SELECT DISTINCT order_id FROM order_line WHERE id IN ({asked})",
    )
    return frozenset(int(key) for (key,) in rows)


def data_file(data: Path) -> Path:
    """The file of a path that names it or its folder.

    Raises:
        BenchError: there is none.
    """
    found = data / "online_retail.csv.gz" if data.is_dir() else data
    if not found.is_file():
        raise BenchError(f"there is no {found}; it is UCI's Online Retail as CSV")
    return found
