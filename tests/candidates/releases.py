"""Releases of a core that a shop might be asked to trust, and what must become of each."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from proxy.routing import SHADOW_HEADER


class End(StrEnum):
    """What became of a release.

    advanced: its ramp took at least one share. held: it stayed at its first share.
    """

    BACK = "went back"
    HELD = "held"
    ADVANCED = "advanced"


@dataclass(frozen=True, slots=True)
class Release:
    """A core's behaviour, beside a legacy that is always the same.

    Attributes:
        ends: what may become of it.
        errors: share of answers with a 500.
        slower: how many times as long its answers take.
        cent_off: share of shoppers who see a price that is a cent too high.
        both_fail: share of answers of both stores with a 500.
        per_s: requests that shoppers make in a second.
        routes: which of the two routes shoppers ask for.
        unlucky: one of the answers that it gives shoppers is a 500.
        drifts: by how many differences a second both databases grow apart; None where none
            is asked.
    """

    name: str
    ends: frozenset[End]
    errors: float = 0.0
    slower: float = 1.0
    cent_off: float = 0.0
    both_fail: float = 0.0
    unlucky: bool = False
    per_s: int = 250
    routes: tuple[str, ...] = ("/products/{}/", "/stock/{}/")
    drifts: int | None = None


_GOOD, _BACK = frozenset((End.ADVANCED,)), frozenset((End.BACK,))
_STOPPED = frozenset((End.HELD, End.BACK))

RELEASES = (
    Release("as good as legacy", _GOOD),
    Release("a tenth slower throughout", _GOOD, slower=1.1),
    Release("both stores fail 5 % (a shared outage)", _STOPPED | _GOOD, both_fail=0.05),
    Release("few shoppers, one unlucky 500", frozenset((End.HELD,)), per_s=12, unlucky=True),
    Release("every answer a 500", _BACK, errors=1.0),
    Release("errors 5 %", _BACK, errors=0.05),
    Release("errors 0.5 %", _STOPPED, errors=0.005),
    Release("twice as slow", _BACK, slower=2.0),
    Release("a cent too much for one shopper in ten", _STOPPED, cent_off=0.1),
    Release("both databases the same", _GOOD, drifts=0),
    Release("both databases drift apart", frozenset((End.HELD,)), drifts=1),
    Release("one route that nobody ever asked for", _STOPPED, routes=("/products/{}/",)),
)


_UNLUCKY = 5


class Store:
    """One side of a shop in which a release is tried."""

    def __init__(self, release: Release, *, is_core: bool) -> None:
        self.release = release
        self.is_core = is_core
        self._live = 0
        self._dice = random.Random(4)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Prices and stock; slow at times, as any store is."""
        release, dice = self.release, self._dice
        self._live += SHADOW_HEADER not in request.headers
        pause_s = 0.004 if dice.random() < 0.94 else 0.036
        await asyncio.sleep(pause_s * (release.slower if self.is_core else 1))
        if dice.random() < release.both_fail:
            return web.Response(status=500)
        if self.is_core:
            is_unlucky = release.unlucky and self._live == _UNLUCKY
            if is_unlucky or dice.random() < release.errors:
                return web.Response(status=500)
        minor = 1_000 + int(request.path.strip("/").split("/")[-1])
        if self.is_core and _is_of(request.headers, release.cent_off):
            minor += 1
        return web.json_response({"path": request.path, "price": f"{minor / 100:.2f}"})


def _is_of(headers: Mapping[str, str], share: float) -> bool:
    digest = hashlib.sha256(headers.get("Session-Id", "").encode()).digest()
    return int.from_bytes(digest[:4]) < share * 2**32
