"""Ask a store what it would have answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from proxy.core import OpaqueBodyError, Redactor, is_redacted
from proxy.core.frame import Frame
from proxy.core.marks import unlike
from proxy.routing import SHADOW_HEADER, Side, Store
from shadow_compare.core.answer import Answer
from shadow_compare.core.breaker import Breaker
from shadow_compare.core.pace import Pace
from shadow_compare.errors import AskError

_HOP_BY_HOP = frozenset(
    (
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_READ_CODINGS = frozenset(("gzip", "x-gzip", "deflate", "identity"))
_MAX_FIELD_BYTES = 65_536
_READS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one side is asked at most.

    Attributes:
        timeout_s: for one answer, waiting for its turn not included.
        concurrency: questions at a time.
        rate: questions a second.
        body_bytes: of one answer, as it comes over the wire.
    """

    timeout_s: float = 5.0
    concurrency: int = 16
    rate: float = 500.0
    body_bytes: int = 1024 * 1024


class _SideAsker:
    """One side's connections, pace and breaker."""

    def __init__(self, limits: Limits) -> None:
        self.turns = asyncio.Semaphore(limits.concurrency)
        self.pace = Pace(limits.rate)
        self.breaker = Breaker()
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limits.concurrency, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=limits.timeout_s),
            auto_decompress=False,
            trust_env=False,
            requote_redirect_url=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            max_line_size=_MAX_FIELD_BYTES,
            max_field_size=_MAX_FIELD_BYTES,
        )


class HttpAsker:
    """Implements ports.Asker over HTTP. Belongs to one event loop.

    Answers are redacted with the proxy's key before anyone sees them, so that they can be
    compared with what the proxy captured.
    """

    def __init__(self, stores: Mapping[Side, Store], redactor: Redactor, limits: Limits) -> None:
        self._limits = limits
        self._sides = {side: _SideAsker(limits) for side in Side}
        self.use(stores, redactor)

    def use(self, stores: Mapping[Side, Store], redactor: Redactor) -> None:
        """Ask these stores from now on, and redact with this."""
        self._urls = {side: store.url.rstrip("/") for side, store in stores.items()}
        self._redactor = redactor

    async def close(self) -> None:
        """Close every connection."""
        for side in self._sides.values():
            await side.session.close()

