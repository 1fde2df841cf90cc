"""How far a call of a gateway came, told by how it broke."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import aiohttp

from new_core.domain.gateway import Reach

CLOCKS_DIFFER_S = 300
"""A gateway's clock may be so far from ours: its books are searched from that much earlier."""


def reach_of(error: BaseException | None) -> Reach:
    """Whether what broke a call did so before anything was sent.

    Only what happens while connecting counts: a connection that was kept open and breaks may
    have carried the request there.
    """
    before = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
    return Reach.NOT_SENT if isinstance(error, before) else Reach.NO_ANSWER


def own_connections() -> aiohttp.TCPConnector:
    """Connections that carry one call each. Needs a running loop.

    1. A connection is kept open, 2. the gateway closes it, 3. our call is written into it and
    breaks. Nobody could tell whether that charged, and the shopper would wait for the recovery;
    a connection that cannot be made tells that nothing was sent.
    """
    return aiohttp.TCPConnector(force_close=True)


def uuid_in(text: object) -> UUID | None:
    """The id that a gateway kept for us; None when this is none."""
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None


def parsed(body: bytes) -> Any:
    """JSON of a gateway; None when it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def chosen(fields: tuple[str, ...], row: dict[str, Any]) -> dict[str, object]:
    """What is kept of an answer: named fields, since others may be secret or personal."""
    return {name: row[name] for name in fields if row.get(name) not in (None, "")}


def searched_from(sent_at: datetime) -> int:
    """Where to begin in a gateway's books, in seconds since 1970."""
    return int(sent_at.timestamp()) - CLOCKS_DIFFER_S
