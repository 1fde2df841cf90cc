"""What carts cost in statements: none of it grows with the lines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar

import pytest
import sqlalchemy as sa

from tests.support.cart_client import Door, Shopper, carts_core
from tests.support.cart_shop import sku, stock_shop
from tests.support.databases import fresh_database

pytestmark = pytest.mark.integration

THINGS = 520


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        found = f"sqlite:///{tmp_path_factory.mktemp('core')}/core.sqlite3"
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            found = stack.enter_context(fresh_database(port))
        asyncio.run(stock_shop(found, THINGS))
        yield found


@pytest.fixture
async def shopper(url: str) -> AsyncIterator[Shopper]:
    async with carts_core(url, Door()) as app:
        yield Shopper(app)


COUNTED: ContextVar[bool] = ContextVar("counted", default=False)


class Counted:
    """Statements that the test's own task sends, not the workers', and rows that they write."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.line_rows = 0

    def __call__(self, *call: object) -> None:
        if not COUNTED.get():
            return
        statement, parameters, many = str(call[2]), call[3], call[5]
        self.statements.append(statement)
        if statement.startswith("INSERT INTO cart_line"):
            self.line_rows += len(parameters) if many else 1  # type: ignore[arg-type]


@contextlib.contextmanager
def counted() -> Iterator[Counted]:
    count = Counted()
    before = COUNTED.set(True)
    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        yield count
    finally:
        COUNTED.reset(before)
        sa.event.remove(sa.Engine, "before_cursor_execute", count)


def rows(size: int) -> dict[str, object]:
    return {"lines": [{"sku": sku(n)} for n in range(size)]}


async def a_cart(shopper: Shopper, size: int) -> tuple[str, Shopper]:
    cart, guest = await shopper.begin()
    answer = await guest.post(f"{cart}/lines:batch", rows(size))
    assert answer.status == 200, answer.text
    return cart, guest


async def test_a_line_costs_the_same_in_a_small_and_in_a_large_cart(shopper: Shopper) -> None:
    found: list[list[str]] = []
    for size in (1, 100, 500):
        cart, guest = await a_cart(shopper, size)
        with counted() as count:
            answer = await guest.post(f"{cart}/lines", {"sku": sku(THINGS - 1)})
        assert answer.status == 201
        assert count.line_rows == 1
        found.append(count.statements)

    assert found[0] == found[1] == found[2]
    assert len(found[0]) <= 25


async def test_a_batch_of_any_size_is_the_same_statements(shopper: Shopper) -> None:
    found: list[int] = []
    for size in (5, 500):
        cart, guest = await shopper.begin()
        with counted() as count:
            assert (await guest.post(f"{cart}/lines:batch", rows(size))).status == 200
        assert count.line_rows == size
        found.append(len(count.statements))

    assert found[0] == found[1]


async def test_a_cart_is_read_by_the_same_statements_whatever_its_size(shopper: Shopper) -> None:
    found: list[int] = []
    for size in (5, 500):
        cart, guest = await a_cart(shopper, size)
        with counted() as count:
            assert len((await guest.get(cart)).json()["lines"]) == size
        found.append(len(count.statements))

    assert found[0] == found[1]
