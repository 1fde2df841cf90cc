"""Logging in: how often one may try, and that a refusal tells nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

ACCOUNT_TRIES = 10
ADDRESS_TRIES = 100
"""An address may be a whole office."""
WINDOW = timedelta(minutes=15)

SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 1024


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may log in.

    Attributes:
        password_hash: empty when they cannot, with a password.
        active: whether they may now.
    """

    id: UUID
    password_hash: str
    active: bool


def scheme_of(password_hash: str) -> str:
    """The kind of a hash: what stands before its costs; at most 32 characters."""
    first, _, _ = password_hash.removeprefix("$").partition("$")
    return first[:32]


def unlike(password_hash: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Of one hash per kind those of another kind than this one.

    1. An unknown address is refused at once, and a known one after a hash: the time tells who
    is a customer. 2. Both take a hash, but a hash from the shop before takes longer: the time
    tells who has not been here since. So a refusal takes every kind's time once, whoever asks.
    """
    return tuple(one for one in kinds if scheme_of(one) != scheme_of(password_hash))


def account_key(kind: str, name: str) -> str:
    """Under which tries to log in as somebody are counted."""
    return f"{kind}:{name}"


def address_key(address: str) -> str:
    """Under which tries from somewhere are counted."""
    return f"from:{address}"
