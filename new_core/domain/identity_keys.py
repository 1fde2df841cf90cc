"""Keys that sign tokens, and when which of them does.

A key signs for a while. The next one is made and shown to everybody before it signs, and the
one before it is still believed after it has stopped: no token of a key is ever unknown.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

SIGNS = timedelta(days=30)
SHOWN_BEFORE = timedelta(days=1)
BELIEVED_AFTER = timedelta(days=1)
"""Longer than any access token lives, and than anybody may keep our list of keys."""


@dataclass(frozen=True, slots=True)
class KeyTerm:
    """When a key is used.

    Attributes:
        number: 1, 2, …; no two keys have the same.
    """

    number: int
    signs_from: datetime
    signs_until: datetime
    verifies_until: datetime


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key.

    Attributes:
        private_pem: encrypted where the core was given a passphrase.
    """

    term: KeyTerm
    kid: str
    private_pem: str
    public_pem: str


def next_term(terms: Collection[KeyTerm], now: datetime) -> KeyTerm | None:
    """The term of a key that has to be made now; None while there is no need."""
    last = max(terms, key=lambda one: one.number, default=None)
    if last is not None and now < last.signs_until - SHOWN_BEFORE:
        return None
    number = 1 if last is None else last.number + 1
    # Nobody rotated for long: the next key signs from now, not for a past that nobody saw.
    start = now if last is None else max(now, last.signs_until)
    return KeyTerm(number, start, start + SIGNS, start + SIGNS + BELIEVED_AFTER)


def signing(keys: Collection[SigningKey], now: datetime) -> SigningKey | None:
    """The key that signs now: of those in their term the newest, else the one that is next.

    1. A request takes the time, 2. another process, whose clock is ahead, makes the first key,
    3. the request finds one that is not to sign yet: it is shown to everybody, so it may.
    """
    begun = [one for one in keys if one.term.signs_from <= now < one.term.signs_until]
    if begun:
        return max(begun, key=lambda one: one.term.number)
    coming = (one for one in keys if now < one.term.signs_from)
    return min(coming, key=lambda one: one.term.number, default=None)


def believed(keys: Collection[SigningKey], now: datetime) -> tuple[SigningKey, ...]:
    """The keys whose tokens hold now, those that will sign soon among them."""
    return tuple(one for one in keys if now < one.term.verifies_until)
