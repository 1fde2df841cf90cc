"""Sessions: signed by the room, carried by the browser, ended by either.

Pure: nothing here knows a clock or a file.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cutover.core.access import Role

LONGEST_S = 12 * 3_600.0
IDLE_S = 3_600.0
_RENEW_S = 60.0
_MOST_ENDED = 4_096


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who signed in.

    Attributes:
        number: random, this session's own.
        generation: of the person's when they signed in; 0 for somebody of the issuer's.
        began_s, seen_s: when they signed in, and when they last asked, since the epoch.
        roles: what the issuer said; none for a person of the house, whose roles are looked up.
    """

    number: str = field(repr=False)
    name: str
    generation: int
    began_s: float
    seen_s: float
    roles: frozenset[Role] = frozenset()

    @property
    def of_issuer(self) -> bool:
        """Whether an OpenID issuer vouched for them."""
        return self.generation == 0

    @property
    def ends_s(self) -> float:
        """When it ends whatever happens."""
        return self.began_s + LONGEST_S

    def is_over(self, now_s: float) -> bool:
        """Whether it is too old, was left alone for too long, or is from the future."""
        too_old = now_s >= self.ends_s or now_s - self.seen_s >= IDLE_S
        return too_old or self.began_s > now_s + _RENEW_S

    def seen(self, now_s: float) -> Session | None:
        """It as seen now; None when it was seen so lately that nothing need be written."""
        return replace(self, seen_s=now_s) if now_s - self.seen_s >= _RENEW_S else None


@dataclass(frozen=True, slots=True)
class Seal:
    """Signs what a browser keeps for the room.

    Attributes:
        key: of the room, random.
    """

    key: bytes = field(repr=False)

    def session_text(self, session: Session) -> str:
        """What goes into the cookie."""
        told = [
            session.number, session.name, session.generation, int(session.began_s),
            int(session.seen_s), sorted(session.roles),
        ]  # fmt: skip
        return self.sealed("session", told)

    def session(self, text: str) -> Session | None:
        """The session of a cookie; None when it is none of ours."""
        told = self.opened("session", text)
        if not isinstance(told, list):
            return None
        try:
            number, name, generation, began_s, seen_s, roles = told
            found = frozenset(Role(role) for role in roles)
        except ValueError:  # of a Banyan that wrote it otherwise
            return None
        return Session(number, name, generation, began_s, seen_s, found)

    def sealed(self, kind: str, told: object) -> str:
        """JSON with a signature that holds for this kind only."""
        body = urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).decode()
        return f"{body}.{self.sign(kind, body)}"

    def opened(self, kind: str, text: str) -> object:
        """What was sealed; None when it was not, or as another kind."""
        body, _, signed = text.rpartition(".")
        if not hmac.compare_digest(signed.encode(), self.sign(kind, body).encode()):
            return None
        opened: object = json.loads(urlsafe_b64decode(body))
        return opened

    def sign(self, kind: str, text: str) -> str:
        """A signature of a text, for one kind of use."""
        return hmac.new(self.key, f"{kind}\0{text}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Ended:
    """Sessions that were signed out before their time.

    The list is bounded. Of one that is too long the sessions that end first are dropped,
    and with them all that end no later count as ended: somebody signs in once more, and
    nobody comes back who has left.

    Attributes:
        until: digest of a session's number to when it would have ended.
        all_until_s: every session that ends by then has ended.
    """

    until: Mapping[str, float] = field(default_factory=dict)
    all_until_s: float = 0.0

    def has(self, session: Session) -> bool:
        """Whether a session was signed out."""
        return session.ends_s <= self.all_until_s or number_kept(session.number) in self.until

    def with_session(self, session: Session, now_s: float, most: int = _MOST_ENDED) -> Ended:
        """It and this session, without those whose time has come."""
        return self.and_all(Ended({number_kept(session.number): session.ends_s}), now_s, most)

    def and_all(self, other: Ended, now_s: float, most: int = _MOST_ENDED) -> Ended:
        """What stands in either."""
        both = {**self.until, **other.until}
        left = sorted((ends_s, kept) for kept, ends_s in both.items() if ends_s > now_s)
        dropped, kept = left[: max(0, len(left) - most)], left[-most:]
        watermark = max(
            self.all_until_s, other.all_until_s, *(ends_s for ends_s, _ in dropped), 0.0
        )
        return Ended({name: ends_s for ends_s, name in kept}, watermark)


def number_kept(number: str) -> str:
    """What is written down of a session that was ended: enough to know it again."""
    return hashlib.sha256(number.encode()).hexdigest()


def safe_next(told: str) -> str:
    """Where to go after signing in: a path of this room; the first page for all else.

    Browsers read // and a backslash as the beginning of another host, and drop tabs and
    line ends before they look.
    """
    is_path = told.startswith("/") and not told.startswith("//")
    is_plain = told.isascii() and told.isprintable() and "\\" not in told and " " not in told
    if not (is_path and is_plain and len(told) <= 1_024):
        return "/"
    path = told.partition("?")[0].partition("#")[0]
    ours = path in {"/signout", "/signin"} or path.startswith("/signin/")
    return "/" if ours or "/../" in f"{path}/" else told
