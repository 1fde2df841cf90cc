"""The keys that sign tokens, as one process knows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from new_core.domain.actor import system
from new_core.domain.events import AuditEntry
from new_core.domain.identity_keys import SigningKey, believed, next_term, signing
from new_core.domain.identity_tokens import Claims, read_claims
from new_core.errors import StoreUnavailable, Unauthenticated
from new_core.ports import Database
from new_core.ports.identity import Signer

_KNOWN_FOR = timedelta(minutes=1)
_ASK_AGAIN = timedelta(seconds=1)
"""Tokens with made-up keys must not become a query each."""


class Keyring:
    """Reads keys once a minute, and when a token comes of one that it does not know."""

    def __init__(self, database: Database, signer: Signer) -> None:
        self._database = database
        self._signer = signer
        self._keys: tuple[SigningKey, ...] = ()
        self._read_at: datetime | None = None

    async def claims(self, token: str, now: datetime) -> Claims:
        """What a token says.

        Raises:
            Unauthenticated: it does not hold.
        """
        kid = self._signer.kid_of(token)
        if not kid:
            raise Unauthenticated("the token does not hold")
        key = await self._known(kid, now)
        if key is None:
            raise Unauthenticated("the token is of a key that is not ours, or not any more")
        try:
            return read_claims(self._signer.read(token, key, now))
        except ValueError as exc:
            raise Unauthenticated("the token does not hold") from exc

    async def signing(self, now: datetime) -> SigningKey:
        """The key that signs now; made when there is none.

        Raises:
            StoreUnavailable: it was made and is not there.
        """
        await self._read(now, _KNOWN_FOR)
        key = signing(self._keys, now)
        if key is None:
            await self.rotate(now)
            key = signing(self._keys, now)
        if key is None:
            raise StoreUnavailable("no key signs tokens; the next request makes one")
        return key

    async def public(self, now: datetime) -> tuple[Mapping[str, object], ...]:
        """The public halves of all keys whose tokens hold or soon will."""
        await self._read(now, _KNOWN_FOR)
        return tuple(self._signer.public(one) for one in believed(self._keys, now))

    async def rotate(self, now: datetime) -> int:
        """Make the next key when it is due; gives how many were made here."""
        await self._read(now, timedelta(0))
        term = next_term([one.term for one in self._keys], now)
        if term is None:
            return 0
        key = self._signer.make_key(term)
        async with self._database.writing() as uow:
            made = await uow.identity.add_key(key)
            if made:
                what = {"kid": key.kid, "signs_from": term.signs_from.isoformat()}
                entry = AuditEntry("signing_key.made", "signing_key", key.kid, after=what)
                await uow.audit.add([entry], system("key-rotation"), now)
            await uow.commit()
        await self._read(now, timedelta(0))
        return int(made)

    async def _known(self, kid: str, now: datetime) -> SigningKey | None:
        for longest in (_KNOWN_FOR, _ASK_AGAIN):
            await self._read(now, longest)
            for key in believed(self._keys, now):
                if key.kid == kid:
                    return key
        return None

    async def _read(self, now: datetime, longest: timedelta) -> None:
        if self._read_at is not None and now - self._read_at < longest:
            return
        async with self._database.reading() as uow:
            self._keys = await uow.identity.keys()
        self._read_at = now
