"""Passwords as Argon2id hashes, and tokens as digests."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cutover.core.people import LONGEST_PASSWORD, TOKEN_PREFIX

_HASHER = PasswordHasher()
#: Without those that look like others.
_EASY = "abcdefghjkmnpqrstuvwxyz23456789"


def hash_password(password: str) -> str:
    """Takes tens of milliseconds and 64 MiB, as it should."""
    return _HASHER.hash(password)


def is_password(hashed: str | None, password: str) -> bool:
    """Whether this is the password of that hash; None takes as long and says no."""
    if len(password.encode()) > LONGEST_PASSWORD:
        password, hashed = "", None
    try:
        _HASHER.verify(hashed or _nobodys(), password)
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None


def new_token() -> str:
    """A token that nobody guesses."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_password() -> str:
    """A password that nobody guesses and somebody can type: 20 letters and digits, in fours."""
    return "-".join("".join(secrets.choice(_EASY) for _ in range(4)) for _ in range(5))


def digest_of(token: str) -> str:
    """What is kept of a token. It is random and long, so a plain digest is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


@cache
def _nobodys() -> str:
    return _HASHER.hash(secrets.token_urlsafe(32))
