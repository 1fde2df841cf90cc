"""Who is told of events over HTTP: signatures, patience, and where nothing is sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID

from new_core.errors import InvalidValue

SECRET_PREFIX = "whsec_"  # noqa: S105 - the standard's prefix, no secret
MOST_WAIT = timedelta(hours=24)
OVERLAP = timedelta(hours=24)
"""How long an old secret still signs beside the new one."""

_S, _M, _H = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
_WAITS: tuple[timedelta, ...] = (
    10 * _S, 30 * _S, 2 * _M, 5 * _M, 15 * _M, 30 * _M, 1 * _H, 2 * _H, 4 * _H, 8 * _H, 14 * _H,
    20 * _H,
)  # fmt: skip
MOST_ATTEMPTS = len(_WAITS) + 1
_JITTER = 0.2
_TOLERATED = 5
_FIRST_REST, _LONGEST_REST = 30 * _S, 1 * _H

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_TRANSLATED = (
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2002::/16"),
    ipaddress.ip_network("2001::/32"),
)
"""Addresses that lead to others by translation or a tunnel."""


class DeliveryState(StrEnum):
    """How far one delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


class Breaker(StrEnum):
    """Whether an endpoint is tried."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Somebody who is told.

    Attributes:
        types: whole types, or beginnings with a star; empty means all.
        old_secret: signs too until `old_secret_until`.
        failures_in_a_row: since the last success.
        open_until: nothing is sent before, when it failed too often.
    """

    id: UUID
    url: str
    description: str
    types: tuple[str, ...]
    enabled: bool
    disabled_because: str
    secret: str
    old_secret: str | None
    old_secret_until: datetime | None
    created_by: str
    created_at: datetime
    failures_in_a_row: int = 0
    open_until: datetime | None = None
    version: int = 0

    def wants(self, event_type: str) -> bool:
        """Whether it is told of events of this type."""
        return not self.types or any(
            event_type.startswith(one[:-1]) if one.endswith("*") else event_type == one
            for one in self.types
        )

    def signing(self, now: datetime) -> tuple[str, ...]:
        """The secrets that sign now, the newest first."""
        until = self.old_secret_until
        if self.old_secret is not None and until is not None and now < until:
            return (self.secret, self.old_secret)
        return (self.secret,)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint.

    Attributes:
        n: its place in the endpoint's line.
        attempts: how often it was sent.
        replay_of: the delivery that it repeats, or None.
    """

    n: int
    id: UUID
    endpoint_id: UUID
    event_id: UUID
    event_type: str
    event_seq: int
    aggregate_type: str
    aggregate_id: UUID
    state: DeliveryState
    attempts: int
    created_at: datetime
    due_at: datetime
    replay_of: UUID | None = None
    tried_at: datetime | None = None
    settled_at: datetime | None = None
    last_status: int | None = None
    last_error: str = ""


def make_secret(random_bytes: bytes) -> str:
    """A secret as Standard Webhooks writes it; of 24 to 64 random bytes."""
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode()


def signature(secrets: Sequence[str], message_id: str, at: datetime, body: bytes) -> str:
    """The value of `webhook-signature`: one signature per secret."""
    signed = b"%s.%d.%s" % (message_id.encode(), int(at.timestamp()), body)
    made = []
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
        made.append(b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()))
    return b" ".join(made).decode()


def retry_wait(attempts: int, dice: float, asked_s: int | None = None) -> timedelta | None:
    """How long to wait after the nth attempt failed; None when it was the last one.

    Args:
        attempts: how often it was sent, from 1.
        dice: in [0, 1); many that failed together do not come back together.
        asked_s: what the endpoint asks for (Retry-After).
    """
    if attempts > len(_WAITS):
        return None
    wait: timedelta = _WAITS[attempts - 1] * (1 + _JITTER * dice)
    if asked_s is not None:
        wait = max(wait, timedelta(seconds=min(asked_s, int(MOST_WAIT.total_seconds()))))
    return min(wait, MOST_WAIT)


def rest(failures_in_a_row: int) -> timedelta | None:
    """How long an endpoint is left alone after so many failures; None for not at all."""
    over = failures_in_a_row - _TOLERATED
    if over < 0:
        return None
    return min(_FIRST_REST * (1 << min(over, 16)), _LONGEST_REST)


def breaker(failures_in_a_row: int, open_until: datetime | None, now: datetime) -> Breaker:
    """Whether an endpoint is tried now; half open means one delivery at a time."""
    if failures_in_a_row < _TOLERATED or open_until is None:
        return Breaker.CLOSED
    return Breaker.OPEN if now < open_until else Breaker.HALF_OPEN


def read_networks(text: str) -> tuple[Network, ...]:
    """Networks that are reached although they are private, e.g. "127.0.0.0/8, ::1".

    Raises:
        InvalidValue: one is none.
    """
    try:
        return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())
    except ValueError as exc:
        raise InvalidValue("BANYAN_CORE_WEBHOOK_NETWORKS", f"names no network: {exc}") from exc


def is_reachable(address: str, allowed: Sequence[Network]) -> bool:
    """Whether something may be sent to this address: only to the public Internet, and to
    networks that were named.
    """
    try:
        found: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if any(found in network for network in allowed):
        return True
    if any(found in network for network in _TRANSLATED):
        return False
    return found.is_global and not found.is_multicast


def check_url(url: str, allowed: Sequence[Network]) -> None:
    """Whether an endpoint may have this URL. Where its name leads is looked at when something
    is sent, each time.

    Raises:
        InvalidValue: it may not.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise InvalidValue("url", f"is none: {exc}") from exc
    host = parts.hostname or ""
    if parts.scheme != "https" and not (parts.scheme == "http" and allowed):
        raise InvalidValue("url", "must begin with https://")
    if not host or port == 0 or not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        raise InvalidValue("url", "is none")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidValue("url", "must have no user, password or fragment")
    if _is_address(host) and not is_reachable(host, allowed):
        raise InvalidValue("url", "leads into a private network")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
