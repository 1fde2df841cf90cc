"""Promises of units on both databases: what is promised, to whom, and what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from new_core.domain.reservation import InsufficientStock, ReservationState, Shortage, Want
from new_core.errors import InvalidValue
from new_core.service.inventory import (
    CanBeHad,
    can_be_had,
    commit_reservations,
    release_reservations,
    reserve,
)
from new_core.storage import SqlDatabase
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

pytestmark = pytest.mark.integration

A, B, FILE, SET, NOWHERE = range(5)
HOUR = timedelta(hours=1)


@pytest.fixture
async def url(core_url: str) -> AsyncIterator[str]:
    counts: list[list[int | None]] = [[5, 10], [3], [None], [], []]
    await stock_up(core_url, counts, untracked=[FILE], bundles={SET: {A: 2, B: 1}})
    yield core_url
    assert await books_off(core_url) == []
    assert await oversold(core_url) == []


@pytest.fixture
async def database(url: str) -> AsyncIterator[SqlDatabase]:
    async with using(url) as found:
        yield found


def wants(**units: int) -> list[Want]:
    numbers = {"a": A, "b": B, "file": FILE, "set": SET, "nowhere": NOWHERE}
    return [Want(variant(numbers[name]), quantity) for name, quantity in units.items()]


async def hold(
    database: SqlDatabase, n: int, after: timedelta = timedelta(0), **units: int
) -> dict[int, int]:
    """Cart n reserves for an hour; gives units by level."""
    async with database.writing() as uow:
        at = THEN + after + HOUR
        kept = await reserve(uow, cart(n), wants(**units), doing(after), expires_at=at)
        await uow.commit()
    return {one.stock_level_id.int - 100_000: one.quantity for one in kept}


async def there(database: SqlDatabase, n: int, after: timedelta | None = None) -> CanBeHad:
    async with database.reading() as uow:
        at = None if after is None else THEN + after
        return (await can_be_had(uow, [variant(n)], at))[variant(n)]


async def test_one_place_gives_all_before_two_do(database: SqlDatabase) -> None:
    assert await hold(database, 1, a=4) == {A: 4}
    assert await hold(database, 2, a=6) == {1000 + A: 6}
    assert await hold(database, 3, a=5) == {A: 1, 1000 + A: 4}
    assert await there(database, A) == CanBeHad(0, purchasable=False)


async def test_wants_of_one_thing_are_added_up_and_bundles_taken_apart(
    database: SqlDatabase,
) -> None:
    async with database.writing() as uow:
        both = [*wants(a=1), *wants(a=1), *wants(set=2)]
        kept = await reserve(uow, cart(1), both, doing(), expires_at=None)
        await uow.commit()

    assert {one.stock_level_id: one.quantity for one in kept} == {level(A, 1): 6, level(B): 2}
    assert await there(database, SET) == CanBeHad(1, purchasable=True)


async def test_all_that_is_short_is_named_and_nothing_promised(
    url: str, database: SqlDatabase
) -> None:
    with pytest.raises(InsufficientStock) as refused:
        await hold(database, 1, set=3, b=1, a=20, nowhere=1, file=7)

    assert refused.value.shortages == (
        Shortage(variant(B), 1, 0),
        Shortage(variant(A), 20, 9),
        Shortage(variant(NOWHERE), 1, 0),
    )
    assert await ask(url, "SELECT * FROM reservation") == []


async def test_what_never_runs_out_is_not_reserved(database: SqlDatabase) -> None:
    assert await there(database, FILE) == CanBeHad(None, purchasable=True)
    assert await hold(database, 1, file=1_000_000) == {}


async def test_asked_twice_is_promised_once(url: str, database: SqlDatabase) -> None:
    first = await hold(database, 1, a=2, b=1)
    assert await hold(database, 1, a=2, b=1) == first

    assert await there(database, A) == CanBeHad(13, purchasable=True)
    assert len(await ask(url, "SELECT * FROM stock_movement WHERE qty_reserved <> 0")) == 2


async def test_what_an_owner_has_counts_in_when_it_wants_more_or_less(
    database: SqlDatabase,
) -> None:
    await hold(database, 1, b=3)

    assert await hold(database, 1, b=2, a=1) == {A: 1, B: 2}
    assert await hold(database, 1, b=3) == {B: 3}
    with pytest.raises(InsufficientStock):
        await hold(database, 1, b=4)
    assert await there(database, B) == CanBeHad(0, purchasable=False)


async def test_a_refusal_leaves_what_the_owner_had(database: SqlDatabase) -> None:
    await hold(database, 1, b=2)

    with pytest.raises(InsufficientStock):
        await hold(database, 1, b=4)

    assert await there(database, B) == CanBeHad(1, purchasable=True)


async def test_released_twice_is_released_once(database: SqlDatabase) -> None:
    await hold(database, 1, a=5, b=3)

    for _ in range(2):
        async with database.writing() as uow:
            await release_reservations(uow, cart(1), "changed their mind", doing())
            await uow.commit()

    assert await there(database, A) == CanBeHad(15, purchasable=True)
    assert await there(database, B) == CanBeHad(3, purchasable=True)


async def test_a_hold_that_is_over_is_free_to_others_before_anybody_sweeps(
    url: str, database: SqlDatabase
) -> None:
    await hold(database, 1, b=3)

    assert (await there(database, B, HOUR / 2)).units == 0
    assert (await there(database, B, HOUR)).units == 3
    with pytest.raises(InsufficientStock):
        await hold(database, 2, HOUR / 2, b=1)
    assert await hold(database, 2, HOUR, b=3) == {B: 3}
    states = await ask(url, "SELECT state FROM reservation ORDER BY id")
    assert [row[0] for row in states] == ["expired", "held"]


async def test_what_is_committed_never_expires(url: str, database: SqlDatabase) -> None:
    await hold(database, 1, b=3)
    async with database.writing() as uow:
        await commit_reservations(uow, cart(1), doing(2 * HOUR))
        await commit_reservations(uow, cart(1), doing(2 * HOUR))
        await uow.commit()

    with pytest.raises(InsufficientStock):
        await hold(database, 2, 3 * HOUR, b=1)
    rows = await ask(url, "SELECT state, expires_at FROM reservation")
    assert rows == [("committed", None)]


async def test_to_commit_nothing_is_nothing(url: str, database: SqlDatabase) -> None:
    async with database.writing() as uow:
        await commit_reservations(uow, order(7), doing())
        await uow.commit()

    assert await ask(url, "SELECT * FROM reservation") == []


async def test_a_hold_that_was_lost_is_promised_anew_when_it_is_committed(
    database: SqlDatabase,
) -> None:
    """1. Cart 1's hold is over, 2. cart 2 gets its units and gives them back, 3. cart 1 pays."""
    await hold(database, 1, b=3)
    await hold(database, 2, HOUR, b=1)
    async with database.writing() as uow:
        await release_reservations(uow, cart(2), "", doing(HOUR))
        await commit_reservations(uow, cart(1), doing(2 * HOUR))
        mine = await uow.reservations.of(cart(1))
        await uow.commit()

    assert [(one.quantity, one.state) for one in mine] == [(3, ReservationState.COMMITTED)]


async def test_a_hold_that_somebody_else_bought_cannot_be_committed(
    url: str, database: SqlDatabase
) -> None:
    """1. Cart 1's hold is over, 2. cart 2 buys a unit of it, 3. cart 1's payment comes through:
    it is told what is missing, and cart 2 keeps its unit.
    """
    await hold(database, 1, b=3)
    await hold(database, 2, HOUR, b=1)

    with pytest.raises(InsufficientStock) as refused:
        async with database.writing() as uow:
            await commit_reservations(uow, cart(1), doing(HOUR))

    assert refused.value.shortages == (Shortage(variant(B), 3, 2),)
    active = "SELECT quantity FROM reservation WHERE state IN ('held', 'committed')"
    assert await ask(url, active) == [(1,)]


async def test_a_caller_that_goes_on_after_a_refusal_leaves_true_books(
    database: SqlDatabase,
) -> None:
    await hold(database, 1, b=1)

    async with database.writing() as uow:
        with pytest.raises(InsufficientStock):
            await reserve(uow, cart(2), wants(b=4), doing(HOUR), expires_at=None)
        await uow.commit()

    assert await there(database, B) == CanBeHad(3, purchasable=True)


async def test_to_want_none_is_refused(database: SqlDatabase) -> None:
    with pytest.raises(InvalidValue, match="quantity"):
        await hold(database, 1, a=0)


async def test_400_lines_take_as_many_statements_as_one(core_url: str) -> None:
    await stock_up(core_url, [[9] for _ in range(400)])
    sent: list[str] = []

    def count(*args: object) -> None:
        sent.append(str(args[2]))

    async with using(core_url) as database:
        sa.event.listen(sa.Engine, "before_cursor_execute", count)
        try:
            for n, lines in ((1, 1), (2, 400)):
                many = [Want(variant(one), 1) for one in range(lines)]
                async with database.writing() as uow:
                    await reserve(uow, order(n), many, doing(), expires_at=None)
                    await uow.commit()
                sent.append("end")
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", count)

    middle = sent.index("end")
    assert len(sent) == 2 * middle + 2
    assert middle <= 16
