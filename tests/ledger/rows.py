"""What happens to a flip by rows: those that nobody can map, altered tables, open transactions,
and changes that come twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from random import Random

import asyncpg
import pymysql

from tests.ledger.databases import maria_session, run, sqlite_session
from tests.ledger.flips import NotRight, flip, refused, under_way
from tests.ledger.house import House
from tests.ledger.rewinding import rewound

_SEEN_S = 60.0
_LAST = {
    "legacy": "SELECT MAX(id) FROM order_order WHERE guest_email LIKE 'w%@example.com'",
    "core": "SELECT id, status FROM sales_order WHERE email LIKE 'w%@example.com'"
    " ORDER BY created_at DESC LIMIT 1",
}


def _until(house: House, what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SEEN_S
    while not is_so():
        house.revive()
        if time.monotonic() > deadline:
            raise NotRight(f"after {_SEEN_S:.0f} s it was still not so: {what}")
        time.sleep(0.2)


def poison_row(house: House, side: str, _whim: Random) -> str:
    """1. An order becomes one that nobody can map, 2. it is parked and no flip is let through,
    3. it is mended and tried again, 4. flips go on.
    """
    if house.owner() == "legacy":
        (number,) = run(house.legacy, _LAST["legacy"])[0]
        row = f"UPDATE order_order SET currency = '{{}}' WHERE id = {number}"  # noqa: S608 - own names
        good = str(run(house.legacy, f"SELECT currency FROM order_order WHERE id = {number}")[0][0])  # noqa: S608
        url, bad = house.legacy, "ZZZ"
    else:
        ident, good = run(house.core, _LAST["core"])[0]
        row = f"UPDATE sales_order SET status = '{{}}' WHERE id = '{ident}'"  # noqa: S608
        url, bad = house.core, "ledger"
    run(url, row.format(bad))
    try:
        _until(house, "the order is parked", lambda: house.parked() > 0)
        reds = refused(house, side)
        if not any(one.startswith("parked") for one in reds):
            raise NotRight(f"refused, and not because something is parked: {reds}")
    finally:
        run(url, row.format(good))
    house.must("sync", "retry")
    _until(house, "nothing is parked", lambda: house.parked() == 0)
    return f"refused ({'; '.join(reds)}); mended: {flip(house, side)}"


def altered_table(house: House, side: str, whim: Random) -> str:
    """1. A migration of the shop adds a column to a table that is mapped, 2. the streams say so
    and no flip is let through, 3. somebody says that the mapping can do with it, 4. flips go on.
    """
    column = f"ledger_{whim.getrandbits(40):x}"
    run(house.legacy, f"ALTER TABLE order_order ADD COLUMN {column} VARCHAR(20) NULL")
    _until(house, "a stream says altered", lambda: "altered: order_order" in house.problems())
    reds = refused(house, side)
    if not any("altered" in one for one in reds):
        raise NotRight(f"refused, and not because of the altered table: {reds}")
    house.must("sync", "resume", "order_order")
    _until(house, "no stream says altered", lambda: "altered" not in house.problems())
    _until(house, "nothing is parked", lambda: house.parked() == 0)
    return f"refused ({'; '.join(reds)}); resumed: {flip(house, side)}"


def delivered_again(house: House, side: str, whim: Random) -> str:
    """1. The domain flips, 2. how far the streams are is noted, and shoppers shop, 3. the process
    dies and comes back with books that say that it is where it was then: all since comes again.

    Not over a flip: a process whose books are of an older term is one that slept, and ends.
    """
    flown = flip(house, side)
    with rewound(house) as rewind:
        time.sleep(whim.uniform(2.0, 5.0))
        house.procs["sync"].kill()
        rewind()
        house.procs["sync"].start()
        house.settle()
    return str(flown)


def long_transaction(house: House, side: str, whim: Random) -> str:
    """Somebody holds a write open for longer than a flip may wait, or shorter."""
    seconds = whim.uniform(0.5, 6.0)
    url = house.legacy if house.owner() == "legacy" else house.core
    begin = threading.Event()
    told: list[str] = []
    held = threading.Thread(target=_hold, args=(url, seconds, begin, told))
    held.start()
    try:
        at_work = under_way(house, side)
    finally:
        # Not before: the gates would see it, and let nobody through who would have to wait.
        begin.set()
    status = at_work.wait()
    held.join()
    return f"{told[0]}: flip ended with {status}; {at_work.steps}"


def _hold(url: str, seconds: float, begin: threading.Event, told: list[str]) -> None:
    """Write when told to, and wait. Who comes when the gate is closed is refused."""
    try:
        if url.startswith("sqlite"):
            # Whoever writes there keeps all others waiting: not longer than a shop waits.
            seconds = min(seconds, 3.0)
            _hold_sqlite(url, seconds, begin)
        elif url.startswith("postgresql"):
            asyncio.run(_hold_postgresql(url, seconds, begin))
        else:
            _hold_mariadb(url, seconds, begin)
    except (sqlite3.Error, asyncpg.PostgresError, pymysql.Error) as exc:
        told.append(f"came too late ({exc})")
    else:
        told.append(f"open for {seconds:.1f} s")


def _change(url: str) -> str:
    """Writes one stock that no shopper buys: it is the fence that has to wait, not the shop."""
    if url.rpartition("/")[2].startswith("core"):
        table, column, one = "stock_level", "low_at", "SELECT id FROM stock_level LIMIT 1"
    else:
        table, column, one = "partner_stockrecord", "low_stock_threshold", "1"
    return f"UPDATE {table} SET {column} = {column} WHERE id IN ({one})"  # noqa: S608 - own names


def _hold_sqlite(url: str, seconds: float, begin: threading.Event) -> None:
    with contextlib.closing(sqlite_session(url)) as file:
        begin.wait()
        file.execute("BEGIN IMMEDIATE")
        file.execute(_change(url))
        time.sleep(seconds)
        file.execute("ROLLBACK")


async def _hold_postgresql(url: str, seconds: float, begin: threading.Event) -> None:
    connection = await asyncpg.connect(url)
    try:
        await asyncio.to_thread(begin.wait)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(_change(url))
        await asyncio.sleep(seconds)
        await transaction.rollback()
    finally:
        await connection.close()


def _hold_mariadb(url: str, seconds: float, begin: threading.Event) -> None:
    with contextlib.closing(maria_session(url)) as maria:
        begin.wait()
        maria.cursor().execute(_change(url))
        time.sleep(seconds)
        maria.rollback()
