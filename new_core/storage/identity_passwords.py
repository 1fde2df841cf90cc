"""Passwords: argon2id, and what Django made of them before."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

from new_core.ports.identity import Verified

_AT_ONCE = 2
"""Each takes a core and its memory; more of them would only make everybody wait longer."""

_MEMORY_KIB, _PASSES, _LANES = 19 * 1024, 2, 1
_DJANGO = "pbkdf2_sha256"
_MOST_ITERATIONS = 5_000_000
"""A hash is data: one that asks for more would hold a core for seconds."""

LONGEST_PASSWORD = 1024


class Argon2Hasher:
    """Hashes in threads, a few at a time. One per process."""

    def __init__(self, *, memory_kib: int = _MEMORY_KIB, passes: int = _PASSES) -> None:
        """Begin with these costs; the defaults are OWASP's."""
        self._argon = PasswordHasher(passes, memory_kib, _LANES, type=Type.ID)
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._one_of_ours = ""

    async def hash(self, password: str) -> str:
        """An argon2id hash with a salt of its own."""
        async with self._places:
            return await asyncio.to_thread(self._argon.hash, password.encode())

    async def verify(self, password: str, hashed: str) -> Verified:
        """Whether the hash, argon2id or pbkdf2_sha256$…, is of this password."""
        async with self._places:
            return await asyncio.to_thread(self._verified, password, hashed)

    async def waste(self, like: str) -> None:
        """Verify in vain: a password nobody has, against a hash that costs as much."""
        shape = _parts(like)
        if shape is None and not self._one_of_ours:
            self._one_of_ours = await self.hash("anybody")
        hashed = self._one_of_ours if shape is None else f"{_DJANGO}${shape[0]}$salt$nobody"
        await self.verify("nobody", hashed)

    def _verified(self, password: str, hashed: str) -> Verified:
        if hashed.startswith("$argon2"):
            try:
                self._argon.verify(hashed, password.encode())
            except (Argon2Error, InvalidHashError):
                return Verified(right=False)
            return Verified(right=True, stale=self._argon.check_needs_rehash(hashed))
        shape = _parts(hashed)
        if shape is None:
            return Verified(right=False)
        iterations, salt, kept = shape
        made = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations)
        right = hmac.compare_digest(base64.b64encode(made).decode(), kept)
        return Verified(right, stale=right)


def _parts(hashed: str) -> tuple[int, str, str] | None:
    """Iterations, salt and digest of a hash as Django writes it; None for any other text."""
    match hashed.split("$"):
        case [scheme, count, salt, kept] if scheme == _DJANGO and kept.isascii():
            if count.isascii() and count.isdigit() and 0 < int(count) <= _MOST_ITERATIONS:
                return int(count), salt, kept
    return None
