"""Buyers who come at once, on both databases: connections, tasks and processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from new_core.domain.reservation import InsufficientStock, Owner, Want
from new_core.service.inventory import commit_reservations, release_reservations, reserve
from new_core.service.reconciling import sweep_overdue
from new_core.service.stocking import move_stock, transfers
from new_core.storage import SqlDatabase
from new_core.storage.ids import new_id
from tests.integration.proxy.harness import eventually
from tests.support.processes import spawn_process
from tests.support.stockroom import (
    THEN,
    ask,
    books_off,
    cart,
    doing,
    level,
    order,
    oversold,
    stock_up,
    using,
    variant,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

HOUR = timedelta(hours=1)
PROMISED = "SELECT coalesce(sum(quantity), 0) FROM reservation WHERE state IN ('held', 'committed')"
RESERVED = "SELECT sum(coalesce(reserved, 0)) FROM stock_level"


@contextlib.asynccontextmanager
async def doors(url: str) -> AsyncIterator[Sequence[SqlDatabase]]:
    """The same database as three processes would have it open."""
    async with using(url, pool_size=5) as a, using(url, pool_size=5) as b, using(url) as c:
        yield a, b, c


async def buys(
    database: SqlDatabase, owner: Owner, *wants: Want, expires: timedelta | None = None
) -> bool:
    try:
        async with database.writing() as uow:
            until = None if expires is None else THEN + expires
            await reserve(uow, owner, wants, doing(), expires_at=until)
            await uow.commit()
    except InsufficientStock:
        return False
    return True


async def all_is_well(url: str, promised: int) -> None:
    assert await books_off(url) == []
    assert await oversold(url) == []
    assert await ask(url, PROMISED) == [(promised,)]
    assert await ask(url, RESERVED) == [(promised,)]


async def test_of_200_buyers_of_50_units_50_get_one(core_url: str) -> None:
    await stock_up(core_url, [[30, 20]])

    async with doors(core_url) as open_:
        got = await asyncio.gather(
            *(buys(open_[n % 3], order(n), Want(variant(0), 1)) for n in range(200))
        )

    assert sum(got) == 50
    await all_is_well(core_url, 50)


async def test_two_bundles_that_share_a_part_never_share_a_unit(core_url: str) -> None:
    await stock_up(core_url, [[25], [100], [], []], bundles={2: {0: 2, 1: 1}, 3: {0: 3}})

    async with doors(core_url) as open_:
        wants = [Want(variant(2), 1), Want(variant(3), 1), Want(variant(0), 1)]
        got = await asyncio.gather(*(buys(open_[n % 3], cart(n), wants[n % 3]) for n in range(45)))

    parts = sum(units for had, units in zip(got, [2, 3, 1] * 15, strict=True) if had)
    both = sum(had for had in got[::3])
    assert 23 <= parts <= 25
    await all_is_well(core_url, parts + both)


async def test_an_owner_that_asks_ten_times_at_once_is_promised_once(core_url: str) -> None:
    await stock_up(core_url, [[5]])

    async with doors(core_url) as open_:
        got = await asyncio.gather(
            *(buys(open_[n % 3], order(1), Want(variant(0), 2)) for n in range(10))
        )

    assert all(got)
    await all_is_well(core_url, 2)


async def test_carts_of_many_lines_in_any_order_never_wait_in_a_circle(core_url: str) -> None:
    """Buyers, cancellations, a sweeper and a clerk; a deadlock would be StoreUnavailable."""
    await stock_up(core_url, [[9, 9] for _ in range(12)])
    dice = random.Random(7)

    async def shops(database: SqlDatabase, n: int) -> None:
        for _ in range(3):
            things = dice.sample(range(12), 6)
            wants = [Want(variant(one), dice.randint(1, 2)) for one in things]
            expires = dice.choice((None, -HOUR, HOUR))
            if not await buys(database, cart(n), *wants, expires=expires):
                continue
            async with database.writing() as uow:
                if dice.random() < 0.5:
                    await release_reservations(uow, cart(n), "", doing())
                else:
                    with contextlib.suppress(InsufficientStock):
                        await commit_reservations(uow, cart(n), doing())
                await uow.commit()

    async def sweeps(database: SqlDatabase) -> None:
        for _ in range(15):
            await sweep_overdue(database, THEN, new_id)

    async def carries(database: SqlDatabase) -> None:
        for _ in range(15):
            one, other = dice.sample((0, 1), 2)
            things = dice.sample(range(12), 4)
            moves = transfers((level(n, one), level(n, other), 1) for n in things)
            with contextlib.suppress(Exception):
                async with database.writing() as uow:
                    await move_stock(uow, moves, "", "", doing())
                    await uow.commit()

    async with doors(core_url) as open_:
        await asyncio.gather(
            *(shops(open_[n % 3], n) for n in range(30)), sweeps(open_[0]), carries(open_[1])
        )

    promised = (await ask(core_url, PROMISED))[0][0]
    await all_is_well(core_url, promised)


async def test_a_hold_that_is_over_goes_to_one_of_those_who_want_it(core_url: str) -> None:
    """1. Its owner commits it, 2. the sweeper takes it back, 3. others buy it, all at once."""
    await stock_up(core_url, [[10]])

    async with doors(core_url) as open_:

        async def commits(n: int) -> bool:
            try:
                async with open_[n % 3].writing() as uow:
                    await commit_reservations(uow, cart(n), doing())
                    await uow.commit()
            except InsufficientStock:
                return False
            return True

        for n in range(10):
            assert await buys(open_[0], cart(n), Want(variant(0), 1), expires=-HOUR)
        *got, _, _ = await asyncio.gather(
            *(commits(n) for n in range(10)),
            *(buys(open_[n % 3], order(n), Want(variant(0), 1)) for n in range(10)),
            sweep_overdue(open_[0], THEN, new_id),
            sweep_overdue(open_[1], THEN, new_id),
        )
        await sweep_overdue(open_[0], THEN, new_id)

    assert sum(bool(one) for one in got) == 10
    await all_is_well(core_url, 10)


SHOPPERS = """
import asyncio, sys
from pathlib import Path
from new_core.domain.reservation import InsufficientStock, Want
from new_core.service.inventory import commit_reservations, reserve
from tests.support.stockroom import THEN, doing, order, using, variant

async def main(url, first, buyers, hang):
    got = 0
    async with using(url, pool_size=4) as database:
        async def one(n):
            nonlocal got
            try:
                async with database.writing() as uow:
                    await reserve(uow, order(n), [Want(variant(0), 1)], doing(), expires_at=THEN)
                    await commit_reservations(uow, order(n), doing())
                    if n == hang:
                        Path(sys.argv[5]).touch()
                        await asyncio.Event().wait()
                    await uow.commit()
                got += 1
            except InsufficientStock:
                pass
        await asyncio.gather(*(one(n) for n in range(first, first + buyers)))
    print(got)

asyncio.run(main(sys.argv[1], *(int(a) for a in sys.argv[2:5])))
"""


def shoppers(url: str, first: int, buyers: int, hang: int = -1, mark: str = "") -> list[str]:
    numbers = [str(one) for one in (first, buyers, hang)]
    return [sys.executable, "-c", SHOPPERS, url, *numbers, mark]


def test_processes_that_sell_at_once_sell_what_there_is(core_url: str) -> None:
    asyncio.run(stock_up(core_url, [[30, 20]]))

    sellers = [
        subprocess.Popen(shoppers(core_url, 50 * n, 50), stdout=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    got = [int(one.communicate(timeout=100)[0]) for one in sellers]

    assert sum(got) == 50
    asyncio.run(all_is_well(core_url, 50))


def test_a_seller_that_is_killed_leaves_nothing_half_done(core_url: str, tmp_path: Path) -> None:
    """It hangs between promising and its commit, with other buyers done or waiting behind."""
    asyncio.run(stock_up(core_url, [[8]]))
    mark = tmp_path / "reached"

    with spawn_process(
        shoppers(core_url, 0, 4, hang=2, mark=str(mark)), log=tmp_path / "log"
    ) as seller:
        assert eventually(mark.exists, 60), (tmp_path / "log").read_text()
        seller.send_signal(signal.SIGKILL)
        seller.wait(10)
    before = asyncio.run(ask(core_url, PROMISED))[0][0]
    rest = subprocess.run(
        shoppers(core_url, 100, 10), check=True, capture_output=True, text=True, timeout=60
    )

    assert int(rest.stdout) == 8 - before
    assert before < 4
    asyncio.run(all_is_well(core_url, 8))
