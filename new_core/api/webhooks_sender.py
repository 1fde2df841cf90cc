"""POSTs to endpoints of others, and nowhere else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from typing_extensions import override

from new_core.domain.webhooks import Network, check_url, is_reachable
from new_core.errors import InvalidValue
from new_core.ports.webhooks import Heard

_MOST_READ_BYTES = 1_000
_CONNECTIONS = 40
_AGENT = "Banyan-Webhooks/1"


class GuardedResolver(AbstractResolver):
    """Names, without the addresses that nothing is sent to.

    What it gives is what is connected to: a name that leads elsewhere a moment later was looked
    at again by then, since nothing is remembered.
    """

    def __init__(self, allowed: Sequence[Network], inner: AbstractResolver | None = None) -> None:
        self._allowed = allowed
        self._inner = inner or ThreadedResolver()

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(is_reachable(one["host"], self._allowed) for one in found):
            # One private address among public ones is no accident either.
            raise OSError(f"{host} leads into a private network")
        return found

    @override
    async def close(self) -> None:
        await self._inner.close()


class HttpSender:
    """Implements ports.Sender. Its connections are made when first used."""

    def __init__(
        self,
        allowed: Sequence[Network],
        deadline_s: float,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allowed = allowed
        self._deadline_s = deadline_s
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Heard:
        try:
            # The settings may have become stricter since it was put down.
            check_url(url, self._allowed)
        except InvalidValue as exc:
            return Heard(None, str(exc))
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._send(url, headers, body)
        except TimeoutError:
            return Heard(None, f"no answer within {self._deadline_s:g} s", is_late=True)
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            return Heard(None, _said(exc))

    async def _send(self, url: str, headers: Mapping[str, str], body: bytes) -> Heard:
        session = self._opened()
        async with session.post(
            url, data=body, headers=dict(headers), allow_redirects=False
        ) as answer:
            if 200 <= answer.status < 300:
                return Heard(answer.status)
            if 300 <= answer.status < 400:
                return Heard(answer.status, "it redirects, and redirects are not followed")
            said = await answer.content.read(_MOST_READ_BYTES)
            wait = answer.headers.get("retry-after", "")
            asked = int(wait) if wait.isascii() and wait.isdecimal() and len(wait) < 9 else None
            return Heard(answer.status, _printable(said), asked)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=GuardedResolver(self._allowed, self._resolver),
                    use_dns_cache=False,
                    limit=_CONNECTIONS,
                    limit_per_host=_CONNECTIONS // 4,
                    # An idle connection leads where the name led once.
                    force_close=True,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"user-agent": _AGENT},
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session

    async def close(self) -> None:
        """Let go of the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _said(error: Exception) -> str:
    cause: Any = getattr(error, "os_error", None) or error.__cause__ or error
    return f"{type(error).__name__}: {cause}"[:500]


def _printable(said: bytes) -> str:
    text = said.decode("utf-8", "replace")
    return "".join(one if one.isprintable() else " " for one in text).strip()
