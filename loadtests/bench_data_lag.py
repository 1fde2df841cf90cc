"""How long a change takes from its commit in the legacy to its commit in the core.

Each change is a transaction of its own in the legacy, of an order that is changed once. When it
was committed there, the writer knows; when it was committed in the core, the core's database
knows of the row's last transaction. Nobody polls, and both clocks are the same machine's.
"""

# ruff: noqa: S608 - SQL of our own names

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtests.bench_data_figures import Seen, percentile
from loadtests.bench_data_servers import connect, query
from loadtests.bench_data_stores import Say, Stores, stores
from loadtests.bench_processes import BenchError, cpu_s
from loadtests.bench_report import Goal

GOAL_P99_MS, GOAL_RATE = 500.0, 1_000.0
LEGACIES = ("postgresql", "mariadb")
_WRITERS = 8
_WARM_UP_S = 2.0
_FIRST = 100_000
_CHUNK = 1_000
_ORDER = (
    "id number currency total_incl_tax total_excl_tax shipping_incl_tax shipping_excl_tax"
    " shipping_method shipping_code status guest_email date_placed analytics_tracked"
)
_LINE = (
    "id partner_name partner_sku partner_line_reference partner_line_notes title quantity"
    " line_price_incl_tax line_price_excl_tax line_price_before_discounts_incl_tax"
    " line_price_before_discounts_excl_tax unit_price_incl_tax unit_price_excl_tax status order_id"
    " allocation_cancelled num_allocated"
)


@dataclass
class Written:
    """What a run of the writers did.

    Attributes:
        at_s: by order, when its commit was acknowledged.
        rate: of changes a second that came about.
    """

    at_s: dict[int, float] = field(default_factory=dict)
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of the parts that run on several legacies is wanted.

    Attributes:
        flips: on each legacy.
    """

    legacies: Sequence[str] = LEGACIES
    flips: int = 20
    small: bool = False


@contextmanager
def noted(seen: Seen, what: str, say: Say) -> Iterator[None]:
    """What does not run on one legacy is told, and the others go on."""
    try:
        yield
    except BenchError as exc:
        seen.told.append(f"{what}: did not run: {exc}")
        say(f"  did not run: {exc}")


def run(folder: Path, environment: Mapping[str, str], say: Say, options: Chosen) -> Seen:
    """The lag on each legacy, at several rates; one that does not come up says so."""
    rates, seconds = ((100.0,), 3.0) if options.small else ((250.0, 500.0, GOAL_RATE), 15.0)
    seen = Seen()
    for legacy in options.legacies:
        with (
            noted(seen, f"lag, {legacy}", say),
            stores(folder / f"lag-{legacy}", legacy, say, environment) as made,
        ):
            keys = iter(_fill(made, round((sum(rates) + 100) * (seconds + _WARM_UP_S))))
            made.begin_sync()
            made.settle()
            made.banyan("sync", "backfill")
            made.settle()
            for rate in rates:
                _measure(made, legacy, rate, seconds, keys, seen)
    return seen


def _measure(
    made: Stores, legacy: str, rate: float, seconds: float, keys: Iterable[int], seen: Seen
) -> None:
    made.say(f"{legacy}: {rate:,.0f} changes a second for {seconds:.0f} s …")
    _write(made, rate / 4, _WARM_UP_S, keys)
    before_s = cpu_s([made.sync_pid])
    written = _write(made, rate, seconds, keys)
    made.settle()
    each_us = (cpu_s([made.sync_pid]) - before_s) / len(written.at_s) * 1e6
    lags = lags_ms(written.at_s, _arrived(made))
    if len(lags) != len(written.at_s):
        raise BenchError(f"{len(written.at_s) - len(lags)} of {len(written.at_s)} never arrived")
    middle = len(lags) // 2
    first, second = percentile(lags[:middle], 0.5), percentile(lags[middle:], 0.5)
    p50, p99 = percentile(lags, 0.5), percentile(lags, 0.99)
    seen.told.append(
        f"lag, {legacy} at {written.rate:,.0f} of {rate:,.0f} changes/s: p50 {p50:,.0f} ms, p99"
        f" {p99:,.0f} ms, most {lags and max(lags):,.0f} ms; p50 of its halves {first:,.0f} and"
        f" {second:,.0f} ms; {each_us:,.0f} us of CPU of `banyan sync run` a change"
    )
    seen.figures[f"{legacy} {rate:.0f}/s"] = {
        "rate": written.rate, "p50_ms": p50, "p99_ms": p99, "halves_p50_ms": [first, second],
        "sync_cpu_us": each_us,
    }  # fmt: skip
    if rate in {GOAL_RATE, 100.0}:
        name = f"lag p99, {legacy} to PostgreSQL, {rate:,.0f} changes/s"
        seen.goals.append(Goal(name, p99, GOAL_P99_MS, "ms"))


def lags_ms(written: Mapping[int, float], arrived: Mapping[int, float]) -> list[float]:
    """Lags in the order of writing, of what arrived; both in seconds of one clock."""
    return [
        (arrived[key] - at_s) * 1_000
        for key, at_s in sorted(written.items(), key=lambda one: one[1])
        if key in arrived
    ]


def due_s(number: int, rate: float) -> float:
    """When a change is due, from the beginning of its run."""
    return number / rate


def _fill(made: Stores, many: int) -> range:
    """Guests' orders of one line. Returns their keys."""
    made.say(f"{many:,} orders …")
    keys = range(_FIRST, _FIRST + many)
    connection = connect(made.legacy)
    try:
        cursor = connection.cursor()
        _insert(cursor, "order_order", _ORDER, [
            (key, f"B-{key}", "GBP", 20, 20, 0, 0, "Free", "free", "Pending", "g@example.com",
             "2026-01-31 09:10:11", False)
            for key in keys
        ])  # fmt: skip
        _insert(cursor, "order_line", _LINE, [
            (key, "P", "sku", "", "", "Café Müller", 2, 20, 20, 20, 20, 10, 10, "Pending", key,
             False, 0)
            for key in keys
        ])  # fmt: skip
        connection.commit()
    finally:
        connection.close()
    return keys


def _insert(cursor: Any, table: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
    names = columns.split()
    marks = f"({', '.join(['%s'] * len(names))})"
    for at in range(0, len(rows), _CHUNK):
        some = rows[at : at + _CHUNK]
        values = [value for row in some for value in row]
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join([marks] * len(some))}",
            values,
        )


def _write(made: Stores, rate: float, seconds: float, keys: Iterable[int]) -> Written:
    """Change orders at a rate, each in a transaction of its own; a late one goes at once."""
    many = round(rate * seconds)
    some = [key for key, _ in zip(keys, range(many), strict=False)]
    written, troubles = Written(), list[BaseException]()
    began_s, began = time.monotonic(), threading.Barrier(_WRITERS + 1)

    def work(writer: int) -> None:
        try:
            connection = connect(made.legacy)
            began.wait(30)
            try:
                for number in range(writer, many, _WRITERS):
                    time.sleep(max(0.0, began_s + due_s(number, rate) - time.monotonic()))
                    cursor = connection.cursor()
                    cursor.execute(
                        "UPDATE order_order SET status = 'Being processed' WHERE id = %s",
                        (some[number],),
                    )
                    connection.commit()
                    written.at_s[some[number]] = time.time()  # noqa: TID251 - beside a database's
            finally:
                connection.close()
        except Exception as exc:  # noqa: BLE001 - told by whoever waits for the threads
            troubles.append(exc)

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(_WRITERS)]
    for thread in threads:
        thread.start()
    began_s = time.monotonic()
    began.wait(30)
    for thread in threads:
        thread.join()
    if troubles:
        raise BenchError(f"a writer ended: {troubles[0]}")
    written.rate = many / (time.monotonic() - began_s)
    return written


def _arrived(made: Stores) -> dict[int, float]:
    """By order, when the core's database committed its last change."""
    rows = query(
        made.core,
        "SELECT r.external_id, EXTRACT(EPOCH FROM pg_xact_commit_timestamp(o.xmin))"
        " FROM sales_order o JOIN external_ref r ON r.internal_id = o.id"
        " AND r.entity_type = 'order' WHERE o.status = 'processing'",
    )
    return {int(key): float(at_s) for key, at_s in rows}
