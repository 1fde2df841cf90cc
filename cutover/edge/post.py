"""Sends notices over HTTP: bounded in time and size, and never on to another place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from cutover.ports.notices import PostAnswer

TIMEOUT_S = 5.0
_MOST_ANSWER = 4 * 1024
_SHOWN = 120
_PLACES = 100


@dataclass(frozen=True, slots=True)
class HttpPost:
    """Implements ports.notices.Post."""

    session: aiohttp.ClientSession

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> PostAnswer:
        try:
            async with self.session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                said = await answer.content.read(_MOST_ANSWER)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as exc:
            return PostAnswer(None, _why_none(exc))
        return _told(answer.status, said, answer.headers.get("Retry-After", ""))


def _why_none(exc: Exception) -> str:
    """In our words: the text of an error may hold the URL, which may be a secret."""
    match exc:
        case TimeoutError():
            return f"no answer within {TIMEOUT_S:g} s"
        case aiohttp.InvalidURL():
            return "its URL cannot be used"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorDNSError():
            return "its name is not known"
        case _:
            return f"it cannot be reached ({type(exc).__name__})"


def _told(status: int, said: bytes, retry_after: str) -> PostAnswer:
    if 200 <= status < 300:
        return PostAnswer(status)
    if 300 <= status < 400:
        return PostAnswer(status, f"it answered {status}, and a redirect is not followed")
    words = " ".join(said.decode(errors="replace").split())
    shown = "".join(one for one in words if one.isprintable())[:_SHOWN]
    problem = f"it answered {status}" + (f": {shown}" if shown else "")
    return PostAnswer(status, problem, _asked_pause_s(retry_after))


def _asked_pause_s(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 8 else None


@asynccontextmanager
async def open_post() -> AsyncIterator[HttpPost]:
    """Something that sends, until the block ends. No proxy of the environment is asked."""
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        connector=aiohttp.TCPConnector(limit=_PLACES, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    ) as session:
        yield HttpPost(session)
        await asyncio.sleep(0)
