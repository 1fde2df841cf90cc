"""The ticket: our own signed cookie, which keeps a shopper on a side.

ticket = read_ticket(head.headers.get("cookie"), key, now_s)
value = ticket_cookie(Ticket("v-1"), key, is_secure=True)     # for Set-Cookie

Form: `1.VISITOR.GROUP:SIDE:UNTIL.….MAC`, where SIDE is 0 or 1, UNTIL is in seconds since
1970, and MAC is HMAC-SHA-256 over all that stands before it. Whoever has no key can
neither pick a side nor change a pin; the text itself is no secret.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from hashlib import sha256

import msgspec

from proxy.routing.model import Side

COOKIE = "banyan"
SECURE_COOKIE = "__Host-banyan"
COOKIE_NAMES = (SECURE_COOKIE, COOKIE)
MAX_PINS = 32
MAX_AGE_S = 30 * 24 * 3600

_VERSION = "1"
_MAX_CHARS = 3_500
_MAX_TRIES = 4
_SIDES = {Side.LEGACY: "0", Side.CORE: "1"}
_BY_DIGIT = {digit: side for side, digit in _SIDES.items()}
_VISITOR = re.compile(r"[A-Za-z0-9_-]{0,64}", re.ASCII)
_PIN = re.compile(r"([a-z][a-z0-9_-]{0,62}):([01]):(\d{1,11})", re.ASCII)
_FOUND = re.compile(r"(?:^|;)[ \t]*((?:__Host-)?banyan)=([A-Za-z0-9_.:-]+)")


class Pin(msgspec.Struct, frozen=True, gc=False):
    """A cohort of domains whose requests one side answers until a moment."""

    group: str
    side: Side
    until_s: int


class Ticket(msgspec.Struct, frozen=True, gc=False):
    """Who a visitor is to the buckets, and where it is pinned.

    Attributes:
        visitor: random text of `A-Z a-z 0-9 _ -`, up to 64; empty when only pins count.
    """

    visitor: str
    pins: tuple[Pin, ...] = ()

    def pin(self, group: str, now_s: int) -> Pin | None:
        """The pin of a cohort that has not ended, or None."""
        for pin in self.pins:
            if pin.group == group and pin.until_s > now_s:
                return pin
        return None


def read_ticket(cookie_header: str | None, key: bytes, now_s: int) -> Ticket | None:
    """The ticket in a Cookie header; None when there is none that we have signed.

    Pins that have ended are left out. Total: no text makes it fail, and an oversize or
    forged one costs no more than a few hashes.
    """
    if cookie_header is None or "banyan=" not in cookie_header:
        return None
    texts = [found.groups() for found in _FOUND.finditer(cookie_header)]
    # The one that only a secure origin can set goes first. Others may come along: a
    # neighbour on the parent domain can plant cookies of the same name.
    texts.sort(key=lambda found: found[0] != SECURE_COOKIE)
    for _, text in texts[:_MAX_TRIES]:
        ticket = _read(text, key, now_s)
        if ticket is not None:
            return ticket
    return None


def ticket_cookie(
    ticket: Ticket, key: bytes, *, is_secure: bool, max_age_s: int = MAX_AGE_S
) -> bytes:
    """The Set-Cookie value that gives a client this ticket.

    Raises:
        ValueError: the visitor is no text that a ticket can carry.
    """
    if not _VISITOR.fullmatch(ticket.visitor):
        raise ValueError("a visitor is up to 64 of A-Z a-z 0-9 _ -")
    pins = ticket.pins[-MAX_PINS:]
    parts = [f"{pin.group}:{_SIDES[pin.side]}:{pin.until_s}" for pin in pins]
    signed = ".".join((_VERSION, ticket.visitor, *parts))
    return _cookie(f"{signed}.{_mac(signed, key)}", max_age_s, is_secure=is_secure)


def expired_cookie(*, is_secure: bool) -> bytes:
    """The Set-Cookie value that makes a client forget its ticket."""
    return _cookie("", 0, is_secure=is_secure)


def _cookie(value: str, max_age_s: int, *, is_secure: bool) -> bytes:
    name = SECURE_COOKIE if is_secure else COOKIE
    text = f"{name}={value}; Max-Age={max_age_s}; Path=/; HttpOnly; SameSite=Lax"
    return (text + "; Secure" if is_secure else text).encode("ascii")


def _read(text: str, key: bytes, now_s: int) -> Ticket | None:
    if len(text) > _MAX_CHARS:
        return None
    signed, _, mac = text.rpartition(".")
    if not hmac.compare_digest(mac, _mac(signed, key)):
        return None
    version, *rest = signed.split(".")
    if version != _VERSION or not rest or not _VISITOR.fullmatch(rest[0]):
        return None
    pins: list[Pin] = []
    for part in rest[1 : MAX_PINS + 1]:
        found = _PIN.fullmatch(part)
        if found is None:
            return None
        if int(found[3]) > now_s:
            pins.append(Pin(found[1], _BY_DIGIT[found[2]], int(found[3])))
    return Ticket(rest[0], tuple(pins))


def _mac(signed: str, key: bytes) -> str:
    # The label parts this use of the key from any other.
    made = hmac.digest(key, b"banyan-ticket\0" + signed.encode("ascii"), sha256)
    return urlsafe_b64encode(made).rstrip(b"=").decode("ascii")
