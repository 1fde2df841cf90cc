"""Who may move a group from a page: only somebody who has this room's own page open.

The room knows no users. What it must keep out is another page in the same browser: that
can send forms anywhere, and under a name of its own that leads to this machine it can
read pages too.

1. A name that is not the room's own is refused, so a strange name leads to nothing. 2. A
form that another page sent says so (Origin). 3. A form carries a token that only a reader
of the room's own page can have.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
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
    """

    secret: bytes = field(repr=False)
    names: frozenset[str] = frozenset()

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
        strange = self._strange(headers)
        if strange is not None or token is None:
            return strange
        made, _, signed = token.partition(".")
        if not hmac.compare_digest(signed.encode(), self._sign(made, fingerprint).encode()):
            return "The form is from before the room was started anew; open the page again."
        if not 0 <= now_s - int(made) <= _LASTS_S:
            return "The form has been open for too long; open the page again."
        return None

    def _strange(self, headers: Mapping[str, str]) -> str | None:
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
        text = f"{made}\0{fingerprint}".encode()
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest()


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form; of a field that stands twice the last.

    Raises:
        BadForm: it is none.
    """
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError as exc:
        raise BadForm("The form cannot be read.") from exc
    return {name: " ".join(value.split()) for name, value in pairs}


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
