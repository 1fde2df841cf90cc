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

    async def ask(self, side: Side, frame: Frame, *, dry_run: bool = False) -> Answer:
        if dry_run or frame.method not in _READS:
            raise AskError("dry_run_refused", "no side has proven that it can")
        loss = unlike(frame.redaction, self._redactor.id)
        if loss is not None:
            raise AskError(loss, "its marks cannot be compared with those made here")
        asker = self._sides[side]
        async with asker.turns:
            if not asker.breaker.allows(_now_s()):
                raise AskError("shadow_unreachable", f"{side} does not answer")
            await asyncio.sleep(asker.pace.wait_s(_now_s()))
            try:
                answer = await self._send(asker, self._url(side, frame), frame)
            except AskError as exc:
                _note(asker.breaker, exc.loss)
                raise
            except asyncio.CancelledError:
                asker.breaker.abandoned()
                raise
            asker.breaker.succeeded()
        return self._redacted(answer)

    def _url(self, side: Side, frame: Frame) -> URL:
        try:
            return URL(self._urls[side] + frame.target, encoded=True)
        except ValueError as exc:
            raise AskError("request_invalid", f"{frame.target!r} is no target") from exc

    async def _send(self, asker: _SideAsker, url: URL, frame: Frame) -> Answer:
        began_s = _now_s()
        try:
            async with asker.session.request(
                frame.method,
                url,
                headers=shadow_headers(frame),
                data=frame.request_body or None,
                allow_redirects=False,
            ) as response:
                body = await self._read(response)
                headers = tuple(
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in response.raw_headers
                )
                elapsed_us = round((_now_s() - began_s) * 1_000_000)
                return Answer(response.status, headers, body, elapsed_us)
        except TimeoutError as exc:
            raise AskError("shadow_timeout", "no answer in time") from exc
        except aiohttp.ClientPayloadError as exc:
            raise AskError("shadow_truncated", "the answer was cut off") from exc
        except (aiohttp.InvalidURL, ValueError) as exc:
            raise AskError("request_invalid", f"the request cannot be sent: {exc}") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise AskError("shadow_unreachable", f"no answer: {exc}") from exc

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > self._limits.body_bytes:
                response.close()
                raise AskError("shadow_truncated", "the answer is too long to compare")
            parts.append(part)
        return b"".join(parts)

    def _redacted(self, answer: Answer) -> Answer:
        try:
            body = self._redactor.body(
                answer.body,
                answer.header("content-type") or "",
                answer.header("content-encoding") or "",
            )
        except OpaqueBodyError as exc:
            raise AskError("shadow_opaque", f"the answer cannot be redacted: {exc}") from exc
        return Answer(
            answer.status, self._redactor.headers(answer.headers), body, answer.elapsed_us
        )


def shadow_headers(frame: Frame) -> list[tuple[str, str]]:
    """The shopper's headers as the other side may see them, marked as a shadow.

    What the proxy redacted is left out: a hash is no session. Codings that cannot be
    compared are not offered. The forwarded headers are those that the live side got.
    """
    named = {
        token.strip().lower()
        for name, value in frame.request_headers
        if name.lower() == "connection"
        for token in value.split(",")
    }
    headers = [
        (name, _codings(value) if name.lower() == "accept-encoding" else value)
        for name, value in frame.request_headers
        if name.lower() not in _HOP_BY_HOP
        and name.lower() not in named
        and name.lower() != SHADOW_HEADER
        and not is_redacted(value)
    ]
    present = {name.lower(): value for name, value in headers}
    defaults = {
        "X-Forwarded-Host": present.get("host", ""),
        "X-Forwarded-Proto": "http",
        "X-Request-ID": frame.request_id,
    }
    headers += [
        (name, value) for name, value in defaults.items() if value and name.lower() not in present
    ]
    return [*headers, ("X-Banyan-Shadow", frame.request_id)]


def _codings(value: str) -> str:
    offered = (part.strip() for part in value.split(","))
    kept = [part for part in offered if part.partition(";")[0].strip().lower() in _READ_CODINGS]
    return ", ".join(kept) or "identity"


def _note(breaker: Breaker, loss: str) -> None:
    if loss in ("shadow_timeout", "shadow_unreachable"):
        breaker.failed(_now_s())
    elif loss == "shadow_truncated":
        breaker.succeeded()
    else:
        breaker.abandoned()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
