"""Use case of logging in, for staff and customers alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from new_core.domain.identity_logins import (
    ACCOUNT_TRIES,
    ADDRESS_TRIES,
    WINDOW,
    Person,
    account_key,
    address_key,
    unlike,
)
from new_core.domain.identity_tokens import SubjectKind
from new_core.errors import TooManyTries, Unauthenticated
from new_core.ports import Database, UnitOfWork
from new_core.ports.identity import Hasher


@dataclass(frozen=True, slots=True)
class Door:
    """Where a kind of people comes in.

    Attributes:
        find: the person of a name; None when there is none.
        locked: the same person, whom nobody else changes until the transaction ends.
        rehash: keeps a better hash of the same password.
        old_hash: a hash of the most costly kind that may come up; empty when there is one kind.
    """

    kind: SubjectKind
    find: Callable[[UnitOfWork, str], Awaitable[Person | None]]
    locked: Callable[[UnitOfWork, Person], Awaitable[Person | None]]
    rehash: Callable[[UnitOfWork, Person, str, datetime], Awaitable[None]]
    old_hash: Callable[[UnitOfWork], Awaitable[str]]


Enter = Callable[[UnitOfWork, Person], Awaitable[None]]
"""What is written for somebody who has logged in, in that transaction."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One try.

    Attributes:
        name: under which they know themselves, normalised.
        address: from where.
    """

    name: str
    password: str
    address: str


@dataclass(frozen=True, slots=True)
class Logins:
    """Lets people in."""

    database: Database
    hasher: Hasher

    async def enter(self, door: Door, tried: Tried, write: Enter, at: datetime) -> Person:
        """Who this is; what `write` writes for them is committed.

        Every try is counted before the password is looked at: of any number at once no more
        than the limit are looked at. A right one takes the account's tries back.

        Raises:
            TooManyTries: for this account, or from this address.
            Unauthenticated: nobody, not active, or another password; the same in every
                case, and in the same time.
        """
        await self._count(door, tried, at)
        async with self.database.reading() as uow:
            person = await door.find(uow, tried.name)
            old = await door.old_hash(uow)
        hashed = person.password_hash if person is not None and person.active else ""
        stale = await self._checked(tried.password, hashed, old)
        if person is None or stale is None:
            raise Unauthenticated("no such account, or not its password")
        better = await self.hasher.hash(tried.password) if stale else ""
        async with self.database.writing() as uow:
            # 1. The password was right, 2. its owner changes it, because somebody else knows
            # it, 3. that one must not come in any more.
            now = await door.locked(uow, person)
            if now is None or not now.active or now.password_hash != person.password_hash:
                raise Unauthenticated("no such account, or not its password")
            if better:
                await door.rehash(uow, person, better, at)
            await uow.identity.forget_tries(account_key(door.kind, tried.name))
            await write(uow, person)
            await uow.commit()
        return person

    async def _count(self, door: Door, tried: Tried, at: datetime) -> None:
        counted = (
            (account_key(door.kind, tried.name), ACCOUNT_TRIES),
            (address_key(tried.address), ADDRESS_TRIES),
        )
        until = None
        async with self.database.writing() as uow:
            for key, most in counted:
                until = until or await uow.identity.take_try(key, most, WINDOW, at)
            await uow.commit()
        if until is not None:
            raise TooManyTries(max(1, int((until - at).total_seconds())))

    async def _checked(self, password: str, hashed: str, old: str) -> bool | None:
        """Whether the hash is of an old kind; None when it is of another password, after all
        the time that any refusal takes.
        """
        kinds = ("$argon2id", old) if old else ("$argon2id",)
        if hashed:
            found = await self.hasher.verify(password, hashed)
            if found.right:
                return found.stale
        for one in unlike(hashed, kinds):
            await self.hasher.waste("" if one == "$argon2id" else one)
        return None
