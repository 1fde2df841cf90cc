"""The book of people and tokens: who is known to the control room, and as what.

A book is a value; each change gives a new one, or says why it cannot be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cutover.core.access import Role
from cutover.errors import PeopleError

TOKEN_PREFIX = "banyan_"  # noqa: S105 - what every token begins with
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 256
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
_SPAN = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a password.

    Attributes:
        name: as they sign in and as the ledger names them; lower case.
        password: its Argon2id hash.
        generation: grows when all their sessions must end.
        since: when they were added.
    """

    name: str
    roles: frozenset[Role]
    password: str = field(repr=False)
    since: datetime
    generation: int = 1
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A program's way in.

    Attributes:
        name: of the program; the ledger names it so.
        sha256: of the token, in hex. The token itself is kept nowhere.
        expires: from when on it is void; None for never.
    """

    name: str
    roles: frozenset[Role]
    sha256: str = field(repr=False)
    since: datetime
    expires: datetime | None = None

    def is_void(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires is not None and now >= self.expires


@dataclass(frozen=True, slots=True)
class Book:
    """All that are known, by name. No name is a person's and a token's."""

    people: Mapping[str, Person] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anybody is known, be they disabled."""
        return bool(self.people or self.tokens)

    def has(self, name: str) -> bool:
        """Whether a name is somebody's."""
        return name in self.people or name in self.tokens

    @property
    def admins(self) -> frozenset[str]:
        """Who may sign in and manage."""
        return frozenset(
            name
            for name, one in self.people.items()
            if Role.ADMIN in one.roles and not one.disabled
        )

    def person(self, name: str) -> Person:
        """Raises PeopleError: nobody has that name."""
        found = self.people.get(folded(name))
        if found is None:
            raise PeopleError(f"nobody is called {name}; see banyan people list")
        return found

    def with_person(self, person: Person) -> Book:
        """Raises PeopleError: the name or the roles will not do."""
        self._must_be_free(person.name)
        _must_be_good(person.name, person.roles)
        return replace(self, people={**self.people, person.name: person})

    def with_roles(self, name: str, roles: frozenset[Role]) -> Book:
        """Takes effect with the next request; sessions go on.

        Raises PeopleError: the roles will not do, or the last admin would be none.
        """
        person = self.person(name)
        _must_be_good(person.name, roles)
        return self._changed(replace(person, roles=roles))

    def with_password(self, name: str, password: str) -> Book:
        """A new hash; all sessions of theirs end."""
        person = self.person(name)
        return self._changed(replace(person, password=password, generation=person.generation + 1))

    def with_disabled(self, name: str, *, disabled: bool) -> Book:
        """Shut somebody out, or let them in again; their sessions end either way.

        Raises PeopleError: they are the last admin.
        """
        person = self.person(name)
        if person.disabled == disabled:
            return self
        return self._changed(replace(person, disabled=disabled, generation=person.generation + 1))

    def with_token(self, token: Token) -> Book:
        """Raises PeopleError: the name or the roles will not do."""
        self._must_be_free(token.name)
        _must_be_good(token.name, token.roles)
        return replace(self, tokens={**self.tokens, token.name: token})

    def without_token(self, name: str) -> Book:
        """Raises PeopleError: no token has that name."""
        if folded(name) not in self.tokens:
            raise PeopleError(f"no token is called {name}; see banyan tokens list")
        left = {key: one for key, one in self.tokens.items() if key != folded(name)}
        return replace(self, tokens=left)

    def _changed(self, person: Person) -> Book:
        fresh = replace(self, people={**self.people, person.name: person})
        # Of this book, not of one that was read before: 1. two admins are left, 2. each
        # takes the other's role away, 3. the second to write is told no.
        if self.admins and not fresh.admins:
            raise PeopleError(f"{person.name} is the last admin; make somebody else one first")
        return fresh

    def _must_be_free(self, name: str) -> None:
        if name in self.people:
            raise PeopleError(f"a person is called {name} already; choose another name")
        if name in self.tokens:
            raise PeopleError(f"a token is called {name} already; choose another name")


def folded(name: str) -> str:
    """A name as it is kept: Eva and eva are one."""
    return name.strip().lower()


def problem_with_password(name: str, password: str) -> str | None:
    """Why a password will not do; None when it will. Never repeats it."""
    if len(password) < SHORTEST_PASSWORD:
        return f"the password is too short; take {SHORTEST_PASSWORD} characters or more"
    if len(password.encode()) > LONGEST_PASSWORD:
        return f"the password is too long; take {LONGEST_PASSWORD} bytes or fewer"
    if len(set(password)) < 4 or folded(name) == folded(password):
        return "the password is too easy to guess; take several words"
    return None


def end_of(span: str, now: datetime) -> datetime:
    """The moment that lies a span such as 12h, 90d or 26w from now.

    Raises:
        PeopleError: it is no span.
    """
    found = _SPAN.fullmatch(span.strip())
    if found is None:
        raise PeopleError(f"{span!r} is no span of time; write it like 12h, 90d or 26w")
    return now + int(found[1]) * _UNITS[found[2]]


def _must_be_good(name: str, roles: Iterable[Role]) -> None:
    if not _NAME.fullmatch(name):
        raise PeopleError(
            f"{name[:80]!r} is no name; take a to z, 0 to 9 and . _ @ + -,"
            " 64 characters at most, a letter or digit first"
        )
    if not frozenset(roles):
        allowed = ", ".join(Role)
        raise PeopleError(f"{name} needs a role at least: --role with one of {allowed}")
