"""Enrolment: who is let into the control room, as what, and until when.

Commands and the room's page of people act by this alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cutover.core.access import Role
from cutover.core.people import Book, Person, Token, end_of, folded, problem_with_password
from cutover.errors import PeopleError
from cutover.ports.people import KeptBook
from cutover.service.passwords import digest_of, hash_password, new_token


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Changes the book. Every method raises what `KeptBook` raises, and PeopleError: it
    cannot be so, and nothing was written.

    Attributes:
        now: an aware clock.
    """

    kept: KeptBook
    now: Callable[[], datetime]

    def book(self) -> Book:
        """The book as it is now."""
        return self.kept.book()

    def must_be_free(self, name: str, roles: frozenset[Role]) -> str:
        """The name as it would be kept; says no before somebody thinks of a password."""
        person = Person(folded(name), roles, "", self.now())
        self.kept.book().with_person(person)
        return person.name

    def add(self, name: str, roles: frozenset[Role], password: str) -> Person:
        """Let somebody in. Takes as long as a hash does."""
        named = self.must_be_free(name, roles)
        person = Person(named, roles, _hashed(named, password), self.now())
        return self.kept.change(lambda book: book.with_person(person)).person(named)

    def give_roles(self, name: str, roles: frozenset[Role]) -> Person:
        """Say what somebody is from now on, instead of what they were."""
        return self.kept.change(lambda book: book.with_roles(name, roles)).person(name)

    def give_password(self, name: str, password: str) -> Person:
        """A new password; all sessions of theirs end."""
        named = self.kept.book().person(name).name
        hashed = _hashed(named, password)
        return self.kept.change(lambda book: book.with_password(named, hashed)).person(named)

    def disable(self, name: str) -> Person:
        """Shut somebody out at once; their name stays taken."""
        fresh = self.kept.change(lambda book: book.with_disabled(name, disabled=True))
        return fresh.person(name)

    def enable(self, name: str) -> Person:
        """Let somebody in again who was shut out."""
        fresh = self.kept.change(lambda book: book.with_disabled(name, disabled=False))
        return fresh.person(name)

    def issue(self, name: str, roles: frozenset[Role], lasts: str | None) -> str:
        """A new token of a program. It is kept nowhere: whoever called has the only copy.

        It lasts for a span such as 90d; None is for ever.
        """
        at, secret = self.now(), new_token()
        until = None if lasts is None else end_of(lasts, at)
        token = Token(folded(name), roles, digest_of(secret), at, until)
        self.kept.change(lambda book: book.with_token(token))
        return secret

    def revoke(self, name: str) -> None:
        """Make a token void at once."""
        self.kept.change(lambda book: book.without_token(name))


def _hashed(name: str, password: str) -> str:
    problem = problem_with_password(name, password)
    if problem is not None:
        raise PeopleError(problem)
    return hash_password(password)
