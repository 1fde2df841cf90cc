"""Many buyers at once, at two core processes, on both databases."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.support.cart_shop import ON_HAND, stock_shop
from tests.support.checkout_races import Cores, Ledger, buyers, cores, some_at_a_time
from tests.support.checkout_shop import make_bundle, put_coupon, set_stock

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("count", "units"),
    [pytest.param(24, 6, id="small"), pytest.param(200, 50, id="large", marks=pytest.mark.soak)],
)
def test_as_many_orders_as_units_whatever_the_crowd(
    core_url: str, tmp_path: Path, count: int, units: int
) -> None:
    asyncio.run(stock_shop(core_url, 3))
    asyncio.run(set_stock(core_url, 0, units))
    with cores(core_url, tmp_path) as found:
        answers = asyncio.run(_crowd(found, count))
        ledger = Ledger(found)

        assert Counter(status for status, _ in answers) == {201: units, 409: count - units}
        assert all(b"insufficient_stock" in said for status, said in answers if status == 409)
        asyncio.run(ledger.assert_balanced())
        assert asyncio.run(ledger.number("SELECT count(*) FROM sales_order")) == units
        assert len(ledger.books("charged")) == units


async def _crowd(found: Cores, count: int) -> list[tuple[int, bytes]]:
    async with buyers(found, count) as crowd:
        await some_at_a_time([one.fill((0, 1)) for one in crowd])
        return list(await asyncio.gather(*(one.buy() for one in crowd)))


def test_one_key_sent_fifty_times_at_once_is_one_order_and_one_charge(
    core_url: str, tmp_path: Path
) -> None:
    asyncio.run(stock_shop(core_url, 3))
    with cores(core_url, tmp_path) as found:

        async def insisting() -> list[tuple[int, bytes]]:
            async with buyers(found, 50) as crowd:
                first = crowd[0]
                await first.fill((0, 2))
                for one in crowd[1:]:
                    one.token, one.checkout, one.total = first.token, first.checkout, first.total
                key = '"one-key-of-one-intent"'
                answers = await asyncio.gather(*(one.buy(key) for one in crowd))
                return [*answers, await first.buy(key)]

        answers = asyncio.run(insisting())
        ledger = Ledger(found)

        told = {said for status, said in answers if status == 201}
        refused = [said for status, said in answers if status != 201]
        assert len(told) == 1
        assert answers[-1][0] == 201
        assert all(b"request_in_flight" in said for said in refused)
        asyncio.run(ledger.assert_balanced())
        assert len(ledger.books("charged")) == 1
        assert asyncio.run(ledger.number("SELECT count(*) FROM sales_order")) == 1


def test_one_cart_bought_with_many_keys_at_once_is_ordered_once(
    core_url: str, tmp_path: Path
) -> None:
    asyncio.run(stock_shop(core_url, 3))
    with cores(core_url, tmp_path) as found:

        async def impatient() -> list[tuple[int, bytes]]:
            async with buyers(found, 12) as crowd:
                first = crowd[0]
                await first.fill((1, 1))
                for one in crowd[1:]:
                    one.token, one.checkout, one.total = first.token, first.checkout, first.total
                return list(await asyncio.gather(*(one.buy() for one in crowd)))

        answers = asyncio.run(impatient())
        ledger = Ledger(found)

        assert Counter(status for status, _ in answers) == {201: 1, 409: 11}
        asyncio.run(ledger.assert_balanced())
        assert len(ledger.books("charged")) == 1


def test_a_coupon_with_one_use_left_is_used_once(core_url: str, tmp_path: Path) -> None:
    asyncio.run(stock_shop(core_url, 3))
    asyncio.run(put_coupon(core_url, "LAST", 1))
    with cores(core_url, tmp_path) as found:

        async def hurrying() -> list[tuple[int, bytes]]:
            async with buyers(found, 12) as crowd:
                await some_at_a_time([one.fill((2, 1), coupon="LAST") for one in crowd])
                return list(await asyncio.gather(*(one.buy() for one in crowd)))

        answers = asyncio.run(hurrying())
        ledger = Ledger(found)

        assert Counter(status for status, _ in answers) == {201: 1, 409: 11}
        # Those who came late enough see the price without it.
        for status, said in answers:
            assert status == 201 or b"promotion_exhausted" in said or b"price_changed" in said
        asyncio.run(ledger.assert_balanced())
        uses = "SELECT count(*) FROM promotion_usage"
        assert asyncio.run(ledger.number(uses)) == 1
        assert list(ledger.books("charged").values()) == [270]


def test_two_bundles_of_one_component_never_sell_it_twice(core_url: str, tmp_path: Path) -> None:
    asyncio.run(stock_shop(core_url, 3))
    asyncio.run(make_bundle(core_url, 0, component=2))
    asyncio.run(make_bundle(core_url, 1, component=2))
    asyncio.run(set_stock(core_url, 2, 5))
    with cores(core_url, tmp_path) as found:

        async def crowd_of_both() -> list[tuple[int, bytes]]:
            async with buyers(found, 14) as crowd:
                wanted = [one.fill((number % 2, 1)) for number, one in enumerate(crowd)]
                await some_at_a_time(wanted)
                return list(await asyncio.gather(*(one.buy() for one in crowd)))

        answers = asyncio.run(crowd_of_both())
        ledger = Ledger(found)

        assert Counter(status for status, _ in answers) == {201: 5, 409: 9}
        asyncio.run(ledger.assert_balanced())


@pytest.mark.parametrize(
    "rounds", [pytest.param(1, id="small"), pytest.param(8, id="large", marks=pytest.mark.soak)]
)
def test_carts_of_many_lines_in_any_order_never_block_each_other(
    core_url: str, tmp_path: Path, rounds: int
) -> None:
    dice = random.Random(5)
    asyncio.run(stock_shop(core_url, 12))
    with cores(core_url, tmp_path) as found:

        async def one_round() -> list[tuple[int, bytes]]:
            async with buyers(found, 16) as crowd:
                await some_at_a_time([one.fill(*_things(dice)) for one in crowd])
                return list(await asyncio.gather(*(one.buy() for one in crowd)))

        for _ in range(rounds):
            answers = asyncio.run(one_round())
            assert {status for status, _ in answers} <= {201, 409}
            for status, said in answers:
                assert status == 201 or b"insufficient_stock" in said or b"payment_failed" in said
        asyncio.run(Ledger(found).assert_balanced())


def _things(dice: random.Random) -> list[tuple[int, int]]:
    """Up to eight things of twelve, in any order, many units of each."""
    return [
        (thing, dice.randint(1, ON_HAND // 20))
        for thing in dice.sample(range(12), dice.randint(2, 8))
    ]
