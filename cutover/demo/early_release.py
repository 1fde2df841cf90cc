"""A release of the core with a fault, for the demo: it takes a cent off every price.

It stands before the real core and hands everything on, as a defect in a deployed release
would show: the comparer has to find it by itself, and the gate has to hold.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import aiohttp
from aiohttp import web

FAULT = "a rounding mistake takes a cent off every price"
_PRICES = ("incl_tax", "excl_tax")
_OF_ONE_HOP = frozenset(("connection", "content-length", "keep-alive", "transfer-encoding"))


@asynccontextmanager
async def early_release(core: str) -> AsyncIterator[str]:
    """Serve it on a free port of loopback.

    Args:
        core: base URL of the real core, without a trailing slash.

    Yields:
        Its own base URL.
    """
    plain = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(auto_decompress=False, cookie_jar=plain) as client:

        async def handle(request: web.Request) -> web.Response:
            headers = {k: v for k, v in request.headers.items() if k.lower() not in _OF_ONE_HOP}
            headers["Accept-Encoding"] = "identity"
            async with client.request(
                request.method,
                core + request.raw_path,
                headers=headers,
                data=await request.read() or None,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
                kept = [
                    (name, value)
                    for name, value in answer.headers.items()
                    if name.lower() not in _OF_ONE_HOP
                ]
            if request.path.endswith("/price/") and answer.status == 200:
                body = a_cent_less(body)
            return web.Response(status=answer.status, headers=kept, body=body)

        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{tail:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


def a_cent_less(body: bytes) -> bytes:
    """A price's JSON with a cent less; anything else as it is."""
    try:
        price = json.loads(body)
        for name in _PRICES:
            if isinstance(price.get(name), str):
                price[name] = str(Decimal(price[name]) - Decimal("0.01"))
    except (ValueError, ArithmeticError, AttributeError):
        return body
    return json.dumps(price).encode()
