"""Buyers over real sockets, and the books read by SQL that is not the core's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa

from loadtests.ports import free_port
from new_core.storage import make_engine
from tests.support.cart_shop import sku
from tests.support.checkout_process import read_books
from tests.support.checkout_shop import ADDRESS
from tests.support.processes import spawn_process, wait_for_http


@dataclass
class Cores:
    """Some core processes on one database and one gateway."""

    url: str
    ports: tuple[int, ...]
    books: Path
    log: Path

    def base(self, number: int) -> str:
        return f"http://127.0.0.1:{self.ports[number % len(self.ports)]}"


@contextlib.contextmanager
def cores(url: str, folder: Path, count: int = 2, ahead_s: float = 0.0) -> Iterator[Cores]:
    """Start them and wait until they answer."""
    made = Cores(
        url, tuple(free_port() for _ in range(count)), folder / "books", folder / "core.log"
    )
    with contextlib.ExitStack() as stack:
        for port in made.ports:
            command = [
                sys.executable, "-m", "tests.support.checkout_process", url, str(port),
                str(made.books), "--ahead-s", str(ahead_s),
            ]  # fmt: skip
            stack.enter_context(spawn_process(command, log=made.log))
        for port in made.ports:
            wait_for_http(f"http://127.0.0.1:{port}/v1/orders", status=401)
        yield made


@dataclass
class Buyer:
    """Somebody with a cart, at one of the processes."""

    session: aiohttp.ClientSession
    base: str
    token: str = ""
    cart: str = ""
    checkout: str = ""
    total: Any = None

    async def send(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, bytes]:
        sent = {"cart-token": self.token} if self.token else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("idempotency-key", f'"{uuid.uuid4()}"')
        async with self.session.request(
            method, self.base + path, json=body, headers=sent
        ) as answer:
            return answer.status, await answer.read()

    async def fill(
        self, *things: tuple[int, int], coupon: str = "", by_id: Sequence[str] = ()
    ) -> None:
        """Make a cart that can be ordered, and look what it costs."""
        status, said = await self.send("POST", "/v1/carts", {"currency": "CAD"})
        assert status == 201, said
        told = json.loads(said)
        self.token, self.cart = told["token"], f"/v1/carts/{told['id']}"
        lines: list[Any] = [{"sku": sku(thing), "quantity": units} for thing, units in things]
        lines += [{"variant_id": one, "quantity": 1} for one in by_id]
        status, said = await self.send("POST", f"{self.cart}/lines:batch", {"lines": lines})
        assert status == 200, said
        change = {"email": "a@example.test", "shipping_address": ADDRESS}
        status, said = await self.send("PATCH", self.cart, change, if_match="*")
        assert status == 200, said
        if coupon:
            status, said = await self.send("POST", f"{self.cart}/coupons", {"code": coupon})
            assert status in (200, 201), said
        await self.look()

    async def look(self) -> None:
        """Begin the checkout, or look again."""
        status, said = await self.send(
            "POST", "/v1/checkouts", {"cart_id": self.cart.rsplit("/", 1)[-1]}
        )
        assert status == 200, said
        told = json.loads(said)
        self.checkout, self.total = f"/v1/checkouts/{told['id']}", told["expected_total"]

    async def buy(self, key: str = "", card: str = "tok_visa", **headers: str) -> tuple[int, bytes]:
        """Complete it with a card that is charged at once."""
        payment = {"kind": "card", "token": card, "capture": "now"}
        body = {"expected_total": self.total, "payment": payment}
        key = key or f'"{uuid.uuid4()}"'
        path = f"{self.checkout}/complete"
        return await self.send("POST", path, body, idempotency_key=key, **headers)


@contextlib.asynccontextmanager
async def buyers(found: Cores, count: int) -> AsyncIterator[list[Buyer]]:
    """So many, spread over the processes."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield [Buyer(session, found.base(number)) for number in range(count)]


async def some_at_a_time(works: Sequence[Any], most: int = 16) -> list[Any]:
    """Await all of them, not all at once."""
    gate = asyncio.Semaphore(most)

    async def one(work: Any) -> Any:
        async with gate:
            return await work

    return list(await asyncio.gather(*(one(work) for work in works)))


class Ledger:
    """What the tables say, asked in plain SQL."""

    def __init__(self, found: Cores) -> None:
        self._found = found

    async def number(self, statement: str) -> int:
        engine = make_engine(self._found.url, pool_size=1)
        try:
            async with engine.connect() as connection:
                return int(await connection.scalar(sa.text(statement)) or 0)
        finally:
            await engine.dispose()

    async def assert_balanced(self) -> None:
        """No order without its stock and money, no money without its order."""
        for what, statement in _MUST_BE_NONE.items():
            assert await self.number(statement) == 0, what
        orders = await self.number("SELECT count(*) FROM sales_order WHERE payment_status='paid'")
        paid = await self.number(
            "SELECT sum(total_minor) FROM sales_order WHERE payment_status = 'paid'"
        )
        charged, refunded = self.books("charged"), self.books("refunded")
        assert sum(charged.values()) - sum(refunded.values()) == paid
        assert len(charged) - len(refunded) == orders

    def books(self, kind: str) -> dict[str, int]:
        """What the gateway itself wrote, by attempt; two of one attempt would be a charge too
        many, and fail here.
        """
        rows = [row for row in read_books(self._found.books) if row[0] == kind]
        found = {attempt: minor for _, attempt, minor, _ in rows}
        assert len(found) == len(rows), "an attempt was charged twice"
        return found


_MUST_BE_NONE = {
    "stock is oversold": """
        SELECT count(*) FROM stock_level WHERE reserved > on_hand OR reserved < 0""",
    "a level's reserved is not the sum of its reservations": """
        SELECT count(*) FROM stock_level l WHERE coalesce(l.reserved, 0) <>
        (SELECT coalesce(sum(r.quantity), 0) FROM reservation r
         WHERE r.stock_level_id = l.id AND r.state IN ('held', 'committed'))""",
    "an order that lives has not its units committed": """
        SELECT count(*) FROM sales_order o WHERE o.status <> 'cancelled' AND
        (SELECT coalesce(sum(quantity), 0) FROM order_line n WHERE n.order_id = o.id) <>
        (SELECT coalesce(sum(quantity), 0) FROM reservation r WHERE r.owner_id = o.id
         AND r.state = 'committed')""",
    "units are promised to an order that is cancelled, or to none": """
        SELECT count(*) FROM reservation r WHERE r.state IN ('held', 'committed') AND NOT EXISTS
        (SELECT 1 FROM sales_order o WHERE o.id = r.owner_id AND o.status <> 'cancelled')""",
    "an order waits for its payment for ever": """
        SELECT count(*) FROM sales_order WHERE status = 'pending_payment'""",
    "a cart stays frozen": "SELECT count(*) FROM cart WHERE state = 'frozen'",
    "a cart is ordered without an order": """
        SELECT count(*) FROM cart c WHERE c.state = 'ordered' AND NOT EXISTS
        (SELECT 1 FROM sales_order o WHERE o.cart_id = c.id AND o.status <> 'cancelled')""",
    "a cart has two orders that live": """
        SELECT count(*) FROM (SELECT cart_id FROM sales_order WHERE status <> 'cancelled'
        GROUP BY cart_id HAVING count(*) > 1) d""",
    "a placed order's cart is not ordered": """
        SELECT count(*) FROM sales_order o JOIN cart c ON c.id = o.cart_id
        WHERE o.status = 'placed' AND c.state <> 'ordered'""",
    "a number was drawn twice": """
        SELECT count(*) FROM (SELECT number FROM sales_order GROUP BY number
        HAVING count(*) > 1) d""",
    "an order is paid and its payment was not won": """
        SELECT count(*) FROM sales_order o WHERE o.payment_status = 'paid' AND NOT EXISTS
        (SELECT 1 FROM payment_intent p WHERE p.order_id = o.id AND p.state = 'won'
         AND p.amount_minor = o.total_minor)""",
    "an order has two attempts with money": """
        SELECT count(*) FROM (SELECT p.order_id FROM payment_intent p
        JOIN payment_attempt a ON a.intent_id = p.id
        WHERE a.captured_minor > a.refunded_minor GROUP BY p.order_id HAVING count(*) > 1) d""",
    "the sum of an order's lines and shipping is not its total": """
        SELECT count(*) FROM sales_order o WHERE o.shipping = 'null' AND o.total_minor <>
        (SELECT coalesce(sum(n.gross_minor), 0) FROM order_line n WHERE n.order_id = o.id)""",
}
