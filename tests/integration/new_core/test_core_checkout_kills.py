"""A core that is killed in the middle of a checkout, and comes again, on both databases."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from tests.support.cart_shop import stock_shop
from tests.support.checkout_process import DECLINED, STEPS
from tests.support.checkout_races import Buyer, Cores, Ledger, buyers, cores

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

_A_WHILE_S = 1000.0
"""Long enough that no request is in hand any more and every payment is looked up."""


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(("commit-1-after", "gateway-after"), id="two-steps"),
        pytest.param(STEPS, id="every-step", marks=pytest.mark.soak),
    ],
)
def test_no_order_without_its_money_and_no_money_without_its_order(
    core_url: str, tmp_path: Path, steps: tuple[str, ...]
) -> None:
    asyncio.run(stock_shop(core_url, 3))
    cut_short: list[Buyer] = []
    for number, step in enumerate(steps):
        with cores(core_url, tmp_path, count=1, ahead_s=number * _A_WHILE_S) as found:
            cut_short.append(asyncio.run(_cut_short(found, step)))

    with cores(core_url, tmp_path, count=1, ahead_s=len(steps) * _A_WHILE_S) as found:
        for step, buyer in zip(steps, cut_short, strict=True):
            order = asyncio.run(_comes_again(found, buyer, step))
            assert order["status"] == "placed", step
        ledger = Ledger(found)
        asyncio.run(ledger.assert_balanced())
        assert len(ledger.books("charged")) == len(steps)
        assert asyncio.run(ledger.number("SELECT count(*) FROM sales_order")) == len(steps)


@pytest.mark.parametrize("step", ["commit-1-after", "commit-2-after", "gateway-after"])
def test_nobody_comes_again_and_yet_nothing_is_left_half_done(
    core_url: str, tmp_path: Path, step: str
) -> None:
    asyncio.run(stock_shop(core_url, 3))
    with cores(core_url, tmp_path, count=1) as found:
        buyer = asyncio.run(_cut_short(found, step))

    with cores(core_url, tmp_path, count=1, ahead_s=_A_WHILE_S) as found:
        state = asyncio.run(_settled(found, buyer))
        ledger = Ledger(found)

        assert state == "completed"
        asyncio.run(ledger.assert_balanced())
        assert len(ledger.books("charged")) == 1


@pytest.mark.parametrize("step", ["gateway-after", "commit-3-before"])
def test_a_cart_whose_card_was_declined_in_a_crash_thaws(
    core_url: str, tmp_path: Path, step: str
) -> None:
    asyncio.run(stock_shop(core_url, 3))
    with cores(core_url, tmp_path, count=1) as found:
        buyer = asyncio.run(_cut_short(found, step, DECLINED))

    with cores(core_url, tmp_path, count=1, ahead_s=_A_WHILE_S) as found:
        state = asyncio.run(_settled(found, buyer))
        ledger = Ledger(found)

        assert state == "open"
        asyncio.run(ledger.assert_balanced())
        assert ledger.books("charged") == {}
        carts = "SELECT count(*) FROM cart WHERE state = 'open'"
        assert asyncio.run(ledger.number(carts)) == 1


KEY = '"one-key-of-one-intent"'


async def _cut_short(found: Cores, step: str, card: str = "tok_visa") -> Buyer:
    """Buy something and see the process die over it."""
    async with buyers(found, 1) as [buyer]:
        await buyer.fill((1, 2))
        with pytest.raises(aiohttp.ClientError):
            await buyer.buy(KEY, card, x_dies=step)
        return buyer


async def _comes_again(found: Cores, buyer: Buyer, step: str) -> dict[str, object]:
    """Ask again with the same key until the outcome is known."""
    async with aiohttp.ClientSession() as session:
        again = replace(buyer, session=session, base=found.base(0))
        async with asyncio.timeout(60):
            while True:
                status, said = await again.buy(KEY)
                if status == 201:
                    order: dict[str, object] = json.loads(said)["order"]
                    return order
                # In hand by the recovery, or the gateway's books are being asked.
                assert status == 202 or b"request_in_flight" in said, (step, status, said)
                await asyncio.sleep(0.1)


async def _settled(found: Cores, buyer: Buyer) -> str:
    """Look on, without asking for anything, until the recovery is through."""
    async with aiohttp.ClientSession() as session:
        watching = replace(buyer, session=session, base=found.base(0))
        async with asyncio.timeout(60):
            while True:
                status, said = await watching.send("GET", watching.checkout)
                state = str(json.loads(said)["state"])
                if status == 200 and state != "paying":
                    return state
                await asyncio.sleep(0.1)
