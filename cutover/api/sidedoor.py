"""The two things the room asks over HTTP: the proxy's side door, and a store's pulse."""

from __future__ import annotations

import asyncio
from time import perf_counter

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from yarl import URL

from cutover.api.counting import counts_in
from cutover.api.gather import SourceAway
from cutover.api.readings import ProxyState, StoreState
from cutover.core.health import Counts
from proxy.routing import Store

REQUESTS, UNMATCHED = "banyan_requests", "banyan_unmatched"
_COUNT_EVERY_S = 15.0
_MAX_METRICS_BYTES = 64 * 1024 * 1024


class SideDoor:
    """Asks the proxy how it is. The session is the caller's to close.

    `order_routes` are the names of the routes that place orders.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, order_routes: frozenset[str] = frozenset()
    ) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._order_routes = order_routes
        self._count_again_s = 0.0

    async def state(self) -> ProxyState:
        """Readiness, revision and what was answered by which side.

        Raises:
            SourceAway: the side door does not answer.
        """
        try:
            async with self._session.get(f"{self._url}/readyz") as answer:
                ready = answer.status == 200
                told = await _json(answer)
            async with self._session.get(f"{self._url}/metrics") as answer:
                text = await _whole(answer)
        except (aiohttp.ClientError, OSError) as exc:
            raise SourceAway(f"does not answer at its side door ({_short(exc)})") from exc
        answered, unmatched = requests_by_side(text)
        revision, workers = told.get("revision"), told.get("workers")
        return ProxyState(
            ready=ready,
            revision=revision if isinstance(revision, str) else None,
            workers=_number(workers),
            problem=str(told["problem"]) if told.get("problem") else None,
            answered=answered,
            unmatched=unmatched,
            counts=await self._counts(text),
        )

    async def _counts(self, text: str) -> Counts | None:
        """What health figures are made of, now and then: they are kept at no finer grain."""
        now_s = perf_counter()
        if now_s < self._count_again_s:
            return None
        self._count_again_s = now_s + _COUNT_EVERY_S
        try:
            return await asyncio.to_thread(counts_in, text, self._order_routes)
        except ValueError:
            return None


async def probe_store(session: aiohttp.ClientSession, store: Store) -> StoreState:
    """Ask a store's origin for its head: does anything answer there?

    Raises:
        SourceAway: nothing does.
    """
    began = perf_counter()
    try:
        origin = URL(store.url).origin()
        async with session.head(origin, allow_redirects=False) as answer:
            return StoreState(answer.status, (perf_counter() - began) * 1000)
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        raise SourceAway(f"does not answer ({_short(exc)})") from exc


def requests_by_side(text: str) -> tuple[dict[tuple[str, str], int], int]:
    """Read (domain, side) to requests, and unmatched ones, out of Prometheus text.

    Text that is not Prometheus's reads as nothing counted.
    """
    answered: dict[tuple[str, str], int] = {}
    unmatched = 0
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if not sample.name.endswith("_total"):
                    continue
                if family.name == UNMATCHED:
                    unmatched += int(sample.value)
                elif family.name == REQUESTS and sample.labels.get("domain"):
                    key = sample.labels["domain"], sample.labels.get("side", "")
                    answered[key] = answered.get(key, 0) + int(sample.value)
    except (ValueError, KeyError, IndexError):
        return {}, 0
    return answered, unmatched


async def _whole(answer: aiohttp.ClientResponse) -> str:
    """All of a text; one read gives what has come, which of many domains is a part.

    Raises:
        SourceAway: it is longer than any that is ours.
    """
    found = bytearray()
    async for piece in answer.content.iter_any():
        found += piece
        if len(found) > _MAX_METRICS_BYTES:
            raise SourceAway(f"gives more than {_MAX_METRICS_BYTES:,} bytes of metrics")
    return found.decode(errors="replace")


async def _json(answer: aiohttp.ClientResponse) -> dict[str, object]:
    try:
        told = await answer.json(content_type=None)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _number(value: object) -> int | None:
    if isinstance(value, list | dict):
        return len(value)
    return value if isinstance(value, int) else None


def _short(exc: BaseException) -> str:
    if isinstance(exc, aiohttp.ClientConnectorError):
        return (
            "connection refused"
            if isinstance(exc.os_error, ConnectionRefusedError)
            else str(exc.os_error.strerror or exc.os_error)
        )
    return str(exc) or type(exc).__name__
