"""Requests that may come twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RequestKey:
    """One intent of one client.

    Attributes:
        principal: who; of the anonymous something that only they know, e.g. the cart.
        route: method and path, without the query.
        fingerprint: hex digest of what was asked.
    """

    principal: str
    route: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer that is given again."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class IdempotencyStore(Protocol):
    """What was answered to which request."""

    async def begin(
        self, request: RequestKey, now: datetime, *, locked_until: datetime, expires_at: datetime
    ) -> KeptAnswer | None:
        """Take a request in hand: None means go on, an answer means it was done before.

        Raises:
            RequestInFlight: somebody has it in hand; `retry_after_s` says when to ask again.
            RequestKeyReused: the key was used for another request.
        """
        ...

    async def finish(self, request: RequestKey, answer: KeptAnswer, now: datetime) -> None:
        """Keep the answer, in the transaction of what it tells of. The first answer stays:
        whoever comes late, because somebody took the request over, changes nothing here.
        """
        ...

    async def forget(self, request: RequestKey) -> None:
        """Let go of a request that came to nothing: the next try starts anew."""
        ...

    async def forget_of(self, principal: str) -> None:
        """Delete all that somebody was answered: their data stand in it."""
        ...

    async def sweep(self, now: datetime, limit: int) -> int:
        """Delete at most `limit` requests whose time is up; gives how many."""
        ...
