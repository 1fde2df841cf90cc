"""Which requests may change something: only those of this room's own pages, and programs'.

Who asks is another question (`gate`). What must be kept out here is another page in the
same browser: that can send forms anywhere, and under a name of its own that leads to this
machine it can read pages too.

1. A name that is not the room's own is refused, so a strange name leads to nothing. 2. A
form that another page sent says so (Origin). 3. A form carries a token that only a reader
of the room's own page can have, in the session in which the page was opened.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from urllib.parse import parse_qsl, urlsplit

from shadow_compare.core.life import BY_PEOPLE, Act, Wish

FORM_LIMIT = 16_384
_LASTS_S = 12 * 3_600
_OWN_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))


class BadForm(ValueError):
    """The form cannot be read as a wish; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """Makes and checks the tokens of forms.

    Attributes:
        secret: this process's own, random.
        names: host names that the room goes by besides those of loopback.
        bound_to: what else the forms of this moment are bound to: somebody's session.
    """

    secret: bytes = field(repr=False)
    names: frozenset[str] = frozenset()
    bound_to: Callable[[], str] = lambda: ""

    def token(self, fingerprint: str, now_s: float) -> str:
        """A token for the forms of one group's page."""
        made = str(int(now_s))
        return f"{made}.{self._sign(made, fingerprint)}"

    def problem_with(
        self, headers: Mapping[str, str], fingerprint: str, token: str | None, now_s: float
    ) -> str | None:
        """Why a request may change nothing; None when it may.

        Args:
            headers: of the request.
            fingerprint: the group it is about.
            token: of its form; None for a request of a program, that no page can send.
            now_s: seconds since the epoch.
        """
        strange = self.strange(headers)
        if strange is not None or token is None:
            return strange
        made, _, signed = token.partition(".")
        if not hmac.compare_digest(signed.encode(), self._sign(made, fingerprint).encode()):
            return (
                "The form is of another session, or from before the room was started anew;"
                " open the page again."
            )
        if not 0 <= now_s - int(made) <= _LASTS_S:
            return "The form has been open for too long; open the page again."
        return None

    def strange(self, headers: Mapping[str, str]) -> str | None:
        """Why a request is not from a page of this room; None when it may be."""
        host = headers.get("host", "")
        name = urlsplit(f"//{host}").hostname or ""
        if name not in _OWN_NAMES | self.names:
            return f"The room does not go by the name {name or '(none)'}; start it with --host."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "The form was sent from another page."
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "The form was sent from another page."
        return None

    def _sign(self, made: str, fingerprint: str) -> str:
        text = f"{made}\0{fingerprint}\0{self.bound_to()}".encode()
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest()


async def bounded(parts: AsyncIterator[bytes]) -> bytes:
    """A body as it comes in.

    Raises:
        BadForm: it is longer than any form of the room.
    """
    body = bytearray()
    async for part in parts:
        body += part
        if len(body) > FORM_LIMIT:
            raise BadForm("The form is too long.")
    return bytes(body)


def read_exactly(body: bytes) -> dict[str, str]:
    """The fields of a form as they were typed; of a field that stands twice the last.

    Raises:
        BadForm: it is none.
    """
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError as exc:
        raise BadForm("The form cannot be read.") from exc


def read_form(body: bytes) -> dict[str, str]:
    """The same with the space in and around each field made plain.

    Raises:
        BadForm: it is none.
    """
    return {name: " ".join(value.split()) for name, value in read_exactly(body).items()}


def wish_of(fields: Mapping[str, object]) -> Wish:
    """What a person wants, from a form's fields or a JSON object's members.

    Raises:
        BadForm: there is no such wish.
    """
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    act = texts.get("act", "")
    if act not in {one.value for one in BY_PEOPLE}:
        raise BadForm(f"act is one of {', '.join(one.value for one in BY_PEOPLE)}.")
    return Wish(
        Act(act),
        texts.get("by", ""),
        texts.get("owner", ""),
        texts.get("reason", ""),
        texts.get("ticket", ""),
        _day(texts.get("expires", "")) if act == Act.ACCEPT else None,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as exc:
        raise BadForm("The last day is written like 2027-06-30.") from exc
