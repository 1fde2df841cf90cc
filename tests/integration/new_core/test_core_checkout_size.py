"""What a checkout of many lines costs: a fixed number of statements, and little time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.cart_shop import sku
from tests.support.checkout_shop import ADDRESS, CARD, Basket, Shop, checkout_shop

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@contextmanager
def counted() -> Iterator[list[str]]:
    """All statements that this process sends meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


async def basket_of(shop: Shop, lines: int) -> Basket:
    path, holder = await shop.anybody.begin(email="a@example.test")
    wanted = [{"sku": sku(number)} for number in range(lines)]
    added = await holder.post(f"{path}/lines:batch", {"lines": wanted})
    assert added.status == 200, added.text
    await holder.send("PATCH", path, {"shipping_address": ADDRESS}, if_match="*")
    basket = Basket(path, holder)
    await basket.begin()
    return basket


async def test_many_lines_take_as_many_statements_as_few(core_url: str) -> None:
    async with checkout_shop(core_url, things=240) as shop:
        found = []
        await (await basket_of(shop, 2)).complete(payment=CARD)
        for lines in (3, 240):
            basket = await basket_of(shop, lines)
            with counted() as seen:
                done = await basket.complete(payment=CARD)
            assert done.status == 201, done.text
            found.append(seen)

        assert len(found[0]) == len(found[1]), _more(found[0], found[1])


def _more(few: list[str], many: list[str]) -> str:
    """The statements that many lines send beside those of few."""
    left = list(many)
    for one in few:
        if one in left:
            left.remove(one)
    return "\n".join(left)


async def test_five_hundred_lines_are_ordered_once_and_whole(core_url: str) -> None:
    async with checkout_shop(core_url, things=500) as shop:
        basket = await basket_of(shop, 500)

        began = time.perf_counter()
        done = await basket.complete(payment=CARD)
        elapsed_ms = (time.perf_counter() - began) * 1000

        print(f"500 lines: {elapsed_ms:.0f} ms")  # noqa: T201 - a figure, not a bound
        assert done.status == 201, done.text
        order = await shop.desk.get(f"/v1/orders/{done.json()['order']['id']}")
        assert len(order.json()["lines"]) == 500
