"""Finds out who asks: by a session's cookie, by a token of ours, or by an issuer's word."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.datastructures import Headers

from cutover.api.cookies import SESSION, cookie
from cutover.api.oidc import Issuer
from cutover.core.access import Role, Via, Who
from cutover.core.people import TOKEN_PREFIX, Person
from cutover.core.sessions import Seal, Session
from cutover.errors import IssuerAway, NotVouched
from cutover.service.passwords import digest_of
from cutover.storage.people_file import PeopleFile
from cutover.storage.room_files import EndedSessions, RoomKey, SignIns


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out of a request.

    Attributes:
        who: None when nobody that is known asks.
        session: where they came by one.
        trouble: what was wrong with what they showed; "" when they showed nothing.
        is_away: nothing could be found out, since the issuer does not answer.
        until_s: when the issuer's word ends, since the epoch.
    """

    who: Who | None = None
    session: Session | None = field(default=None, repr=False)
    trouble: str = ""
    is_away: bool = False
    until_s: float | None = None
    token: str = field(default="", repr=False)


@dataclass(slots=True)
class Identity:
    """Who is who. Belongs to one event loop.

    Attributes:
        issuer: an OpenID issuer that is believed; None for none.
        may_be_open: while nobody is known everybody is let in. Somebody has to say so.
    """

    people: PeopleFile
    key: RoomKey
    ended: EndedSessions
    sign_ins: SignIns
    clock_s: Callable[[], float]
    issuer: Issuer | None = None
    may_be_open: bool = False
    _closed: bool = field(default=False, init=False)

    def is_open(self) -> bool:
        """Whether nobody is asked who they are, since nobody is known.

        A room that was closed once stays closed while it runs: 1. the file of people is
        removed by mistake, 2. a room that opened then would obey anybody.

        Raises:
            CannotRead: the file of people is damaged.
        """
        if not self._closed:
            is_known = self.issuer is not None or bool(self.people.book())
            self._closed = is_known or not self.may_be_open
        return not self._closed

    def seal(self) -> Seal:
        """What signs sessions. Raises CannotRead, CannotWrite."""
        return self.key.seal()

    async def of(self, headers: Headers, *, is_secure: bool) -> Found:
        """Who sends these headers. A bearer's token counts, and no cookie beside it.

        Raises:
            CannotRead: the file of people, the key, or that of ended sessions is damaged.
        """
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._of_bearer(shown.strip())
        text = cookie(headers, SESSION, is_secure=is_secure)
        return self._of_session(text) if text else Found()

    def still(self, found: Found) -> bool:
        """Whether who was found may go on, for an answer that lasts."""
        if found.session is not None:
            return self._who_of(found.session) is not None
        if found.token:
            return self._of_token(found.token).who is not None
        return found.until_s is None or self.clock_s() < found.until_s

    def begin(self, name: str, generation: int, roles: frozenset[Role] = frozenset()) -> Session:
        """A new session of somebody who has shown who they are."""
        now_s = float(int(self.clock_s()))
        return Session(secrets.token_urlsafe(18), name, generation, now_s, now_s, roles)

    def is_taken(self, name: str) -> bool:
        """Whether a name is a person's or a program's of the house; no issuer gives it away."""
        return self.people.book().has(name)

    def _of_session(self, text: str) -> Found:
        session = self.seal().session(text)
        if session is None:
            return Found(trouble="The session is not of this room.")
        who = self._who_of(session)
        if who is None:
            return Found(trouble="The session has ended.")
        return Found(who, session)

    def _who_of(self, session: Session) -> Who | None:
        if session.is_over(self.clock_s()) or self.ended.has(session):
            return None
        book = self.people.book()
        if session.of_issuer:
            ours = self.issuer is not None and not book.has(session.name)
            return Who(session.name, session.roles, Via.SESSION) if ours else None
        person = book.people.get(session.name)
        if person is None or not _is_let_in(person, session.generation):
            return None
        return Who(person.name, person.roles, Via.SESSION)

    async def _of_bearer(self, shown: str) -> Found:
        if shown.startswith(TOKEN_PREFIX):
            return self._of_token(digest_of(shown))
        if self.issuer is None:
            return Found(trouble="The token is not known.")
        try:
            vouched = await self.issuer.vouched(shown)
        except NotVouched as exc:
            return Found(trouble=f"{exc}.")
        except IssuerAway as exc:
            return Found(trouble=f"{exc}.", is_away=True)
        if self.is_taken(vouched.name):
            return Found(trouble="The name belongs to somebody of this house.")
        return Found(Who(vouched.name, vouched.roles, Via.JWT), until_s=vouched.until_s)

    def _of_token(self, digest: str) -> Found:
        now = datetime.fromtimestamp(self.clock_s(), UTC)
        for token in self.people.book().tokens.values():
            if secrets.compare_digest(token.sha256, digest):
                if token.is_void(now):
                    return Found(trouble="The token has expired.")
                return Found(Who(token.name, token.roles, Via.TOKEN), token=digest)
        return Found(trouble="The token is not known.")


def _is_let_in(person: Person, generation: int) -> bool:
    return not person.disabled and person.generation == generation
