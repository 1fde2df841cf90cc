"""How clients of oscar's API name their sessions, and its protection of cookies."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, replace

_HEADER = re.compile(
    r"^SID:(?P<kind>(?:ANON|AUTH)):(?P<realm>.*?):(?P<name>.+?)(?:[-:][0-9a-fA-F]+){0,2}$"
)
_TOKEN = re.compile(r"[A-Za-z0-9]*\Z")
_SECRET_LENGTH, _MASKED_LENGTH = 32, 64
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True, slots=True)
class SessionName:
    """A session that the client has named itself, in the header Session-Id.

    Attributes:
        is_known: whether somebody has logged in to it; else it is a guest's.
    """

    realm: str
    name: str
    is_known: bool

    @property
    def header(self) -> str:
        """As it is written; the groups of digits that reading drops stay dropped."""
        return f"SID:{'AUTH' if self.is_known else 'ANON'}:{self.realm}:{self.name}"

    @property
    def key_sha256(self) -> str:
        """Under which it is kept."""
        return digest(self.header)

    def session_key(self, secret_key: str) -> str:
        """Oscar's own key of the session, which its name and the shop's SECRET_KEY give."""
        return hashlib.sha1(  # noqa: S324 - what oscar's API computes
            (self.header + secret_key).encode("utf-8", "surrogateescape")
        ).hexdigest()

    def logged_in(self) -> SessionName:
        """The same name after a login, which is another session."""
        return replace(self, is_known=True)


def read_header(text: str | None) -> SessionName | None:
    """A session's name; None for a header that is none, which oscar passes over.

    Up to two last groups of - or : and hexadecimal digits are dropped, so that demo-1 and
    demo-2 are one session: oscar's clients have learned to live with that.
    """
    found = _HEADER.match(text) if text is not None else None
    if found is None:
        return None
    return SessionName(found["realm"], found["name"], found["kind"] == "AUTH")


def realm_of(host: str) -> str:
    """What a session's realm must be, from the request's Host."""
    return host.partition(":")[0]


def digest(text: str) -> str:
    """What is kept in the place of a name that opens a session."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def csrf_problem(cookie: str | None, header: str | None) -> str | None:
    """Why a write of a logged-in client with cookies is refused, in Django's words.

    Args:
        cookie: `csrftoken` of the request.
        header: X-CSRFToken.
    """
    if cookie is None:
        return "CSRF cookie not set."
    problem = _token_problem(cookie)
    if problem is not None:
        return f"CSRF cookie {problem}."
    if header is None:
        return "CSRF token missing."
    problem = _token_problem(header)
    if problem is None and not hmac.compare_digest(_secret(cookie), _secret(header)):
        problem = "incorrect"
    return None if problem is None else f"CSRF token from the 'X-Csrftoken' HTTP header {problem}."


def origin_problem(origin: str | None, here: str) -> str | None:
    """The same, of the page that sent the write."""
    if origin is None or origin == here:
        return None
    return f"Origin checking failed - {origin} does not match any trusted origins."


def _token_problem(token: str) -> str | None:
    if len(token) not in (_SECRET_LENGTH, _MASKED_LENGTH):
        return "has incorrect length"
    return None if _TOKEN.match(token) else "has invalid characters"


def _secret(token: str) -> str:
    """A masked token is its mask and the secret, shifted by the mask."""
    if len(token) == _SECRET_LENGTH:
        return token
    mask, shifted = token[:_SECRET_LENGTH], token[_SECRET_LENGTH:]
    size = len(_ALPHABET)
    pairs = zip(map(_ALPHABET.index, shifted), map(_ALPHABET.index, mask), strict=True)
    return "".join(_ALPHABET[(one - by) % size] for one, by in pairs)
