"""Shoppers who order through the proxy and write down what they were told."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.ledger.books import Attempt, End

_PATIENCE_S = 30.0
FIRST_BOOK = 13
"""Before it stand clothes, some of which are only sold in a size."""
_ADDRESS = {
    "title": "Ms", "first_name": "Ada", "last_name": "Reader", "line1": "1 Long Lane",
    "line4": "London", "postcode": "N1 1AA", "state": "", "notes": "", "phone_number": "",
}  # fmt: skip


@dataclass(slots=True)
class Ledger:
    """What the writers wrote down, in memory and line by line in a file.

    Attributes:
        paused: while set, no new purchase begins; those under way go on.
        ease: how many times longer than usual shoppers rest, on a machine that cannot keep up.
    """

    path: Path
    attempts: list[Attempt] = field(default_factory=list)
    paused: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: int = 0
    ease: float = 1.0

    def add(self, attempt: Attempt) -> None:
        """Keep an attempt; it is on disk when this returns."""
        self.attempts.append(attempt)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([attempt.mark, attempt.end, attempt.number, attempt.told]) + "\n")

    def since(self, at_s: float) -> list[Attempt]:
        """What began at or after a time."""
        return [one for one in self.attempts if one.began_s >= at_s]


@dataclass(frozen=True, slots=True)
class _Told:
    status: int
    body: object
    error: str = ""


class Writer:
    """One shopper with one session, who buys again and again. Owned by one task."""

    def __init__(
        self, client: aiohttp.ClientSession, base_url: str, name: str, ledger: Ledger, product: int
    ) -> None:
        self._client, self._base, self._ledger = client, base_url, ledger
        self._name, self._product = name, product
        self._headers = {"Session-Id": f"SID:ANON:127.0.0.1:{name}", "Accept": "application/json"}
        self._count = 0
        self._began_s = 0.0

    async def shop(self, pause_s: float) -> None:
        """Buy until cancelled; a purchase that has begun is brought to its end."""
        while True:
            if self._ledger.paused.is_set():
                await asyncio.sleep(0.01)
                continue
            self._ledger.under_way += 1
            try:
                await asyncio.shield(asyncio.ensure_future(self._buy()))
            finally:
                self._ledger.under_way -= 1
            until_s = time.monotonic() + pause_s * self._ledger.ease
            while time.monotonic() < until_s and not self._ledger.paused.is_set():
                await asyncio.sleep(min(0.2, pause_s))

    async def _buy(self) -> None:
        self._count += 1
        self._began_s = time.monotonic()
        mark = f"{self._name}-{self._count}@example.com"
        basket = await self._ask("GET", "/api/basket/")
        if basket.status != 200 or not isinstance(basket.body, dict):
            return self._note(mark, End.REFUSED, basket, 0)
        product = f"{self._base}/api/products/{self._product}/"
        sent = {"url": product, "quantity": 1}
        filled = await self._ask("POST", "/api/basket/add-product/", sent)
        if filled.status != 200 or not isinstance(filled.body, dict):
            return self._note(mark, End.REFUSED, filled, 0)
        lines = await self._ask("GET", f"{_path(filled.body['url'])}lines/")
        if lines.status != 200 or not isinstance(lines.body, list):
            return self._note(mark, End.REFUSED, lines, 0)
        units = sum(int(line["quantity"]) for line in lines.body)
        order = {
            "basket": filled.body["url"],
            "guest_email": mark,
            "shipping_address": {**_ADDRESS, "country": f"{self._base}/api/countries/GB/"},
        }
        placed = await self._ask("POST", "/api/checkout/", order)
        return self._note(mark, _end(placed), placed, units)

    def _note(self, mark: str, end: End, told: _Told, units: int) -> None:
        body = told.body if isinstance(told.body, dict) else {}
        number = str(body.get("number", "")) if end is End.ACKNOWLEDGED else ""
        text = told.error or f"{told.status} {json.dumps(told.body)[:200]}"
        now_s = time.monotonic()
        self._ledger.add(Attempt(mark, end, number, units, text, now_s, self._began_s))

    async def _ask(self, method: str, path: str, sent: object = None) -> _Told:
        try:
            async with self._client.request(
                method, self._base + path, headers=self._headers, json=sent
            ) as answer:
                return _Told(answer.status, await answer.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as exc:
            return _Told(0, None, f"{method} {path}: {type(exc).__name__} {exc}"[:200])


def _path(url: object) -> str:
    return "/" + str(url).split("://", 1)[-1].split("/", 1)[-1]


def _end(placed: _Told) -> End:
    """A 4xx says that nothing was ordered, and so does what the fence refused (503)."""
    if placed.status == 200 and isinstance(placed.body, dict) and placed.body.get("number"):
        return End.ACKNOWLEDGED
    return End.REFUSED if 400 <= placed.status < 500 else End.UNKNOWN


async def shopping(
    base_url: str, ledger: Ledger, writers: int, pause_s: float, stop: asyncio.Event
) -> None:
    """Let writers shop until told to stop, and wait for what they have begun."""
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        timeout=timeout, connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as client:
        people = [
            Writer(client, base_url, f"w{n}x", ledger, product=n % 20 + FIRST_BOOK)
            for n in range(writers)
        ]
        tasks = [asyncio.ensure_future(one.shop(pause_s)) for one in people]
        try:
            await stop.wait()
            ledger.paused.set()
            while ledger.under_way:
                await asyncio.sleep(0.05)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
