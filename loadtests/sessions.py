"""Who a shopper is to the store: a session id that stays the same from visit to visit."""

from __future__ import annotations

from urllib.parse import urlsplit


def shopper_id(seed: int, number: int) -> str:
    """A name for shopper `number` of a run, different for each seed and number.

    oscar cuts up to two trailing groups of "-" or ":" and hex digits off a session id, so
    that "visit-1" and "visit-2" share a basket. A name without "-" and ":" loses nothing.
    """
    return f"shopper_{seed}_{number}".replace("-", "m")


def realm(base_url: str) -> str:
    """The realm that the store expects for this address: the Host up to its first colon."""
    return urlsplit(base_url).netloc.rpartition("@")[2].partition(":")[0]


def session_header(base_url: str, shopper: str) -> str:
    """The value of `Session-Id` for an anonymous shopper."""
    return f"SID:ANON:{realm(base_url)}:{shopper}"
