"""Rate limits per client, told in every answer (the IETF's RateLimit header fields)."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from new_core.api.problems import problem
from new_core.domain.rate_limit import Allowance, Bucket, RateLimit, take

MOST_CLIENTS = 10_000
_FREE = frozenset(("/healthz", "/readyz", "/metrics"))


class RateLimited:
    """Wraps an application. Counts per process: with several workers each has its own count.

    A client is a token, or else the address that a connection comes from.
    """

    def __init__(self, app: ASGIApp, limit: RateLimit, clock_s: Callable[[], float]) -> None:
        self._app = app
        self._limit = limit
        self._clock_s = clock_s
        self._buckets: OrderedDict[bytes, Bucket] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _FREE:
            await self._app(scope, receive, send)
            return
        allowance = self._take(_client(scope))
        told = self._told(allowance)

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *told]
            await send(message)

        if allowance.is_allowed:
            await self._app(scope, receive, telling)
            return
        detail = f"too many requests; come again in {allowance.wait_s} s"
        refusal = problem(Request(scope), 429, "rate_limited", detail)
        refusal.headers["retry-after"] = str(allowance.wait_s)
        await refusal(scope, receive, telling)

    def _take(self, client: bytes) -> Allowance:
        allowance = take(self._limit, self._buckets.pop(client, None), self._clock_s())
        self._buckets[client] = allowance.bucket
        if len(self._buckets) > MOST_CLIENTS:
            # Who was not here for longest has the fullest bucket: little is forgotten.
            self._buckets.popitem(last=False)
        return allowance

    def _told(self, allowance: Allowance) -> list[tuple[bytes, bytes]]:
        policy = f'"client";q={self._limit.burst};w={self._window_s()}'
        state = f'"client";r={allowance.left};t={allowance.reset_s}'
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", state.encode())]

    def _window_s(self) -> int:
        """How long it takes to fill an empty bucket."""
        return max(1, round(self._limit.burst / self._limit.per_s))


def _client(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return hashlib.blake2b(value, digest_size=16).digest()
    address = scope.get("client")
    return str(address[0]).encode() if address else b""
