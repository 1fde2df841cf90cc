"""Which names hold personal data or secrets, and which values look like it.

Names are compared word by word, never by substring: `phone_number` and `homePhone` are
sensitive, `saxophone` and `keyboard` are not. Values are recognised by shape only where
the shape proves itself (an address with a domain, a card number with its check digit):
anything looser would hide the very differences that a comparison is after.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

_HEX = re.compile(rb"[0-9a-fA-F]{4}")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_SENSITIVE_WORDS = frozenset(
    (
        "address",
        "addresses",
        "apikey",
        "auth",
        "authorization",
        "birthdate",
        "birthday",
        "bic",
        "card",
        "cards",
        "cardnumber",
        "cookie",
        "credential",
        "credentials",
        "csrf",
        "csrfmiddlewaretoken",
        "csrftoken",
        "cvc",
        "cvv",
        "cvv2",
        "dob",
        "email",
        "emails",
        "familyname",
        "fax",
        "firstname",
        "fullname",
        "givenname",
        "iban",
        "jwt",
        "lastname",
        "login",
        "mail",
        "mobile",
        "nino",
        "otp",
        "pan",
        "passcode",
        "passphrase",
        "passport",
        "passwd",
        "password",
        "passwords",
        "phone",
        "phonenumber",
        "phones",
        "pin",
        "postcode",
        "pwd",
        "recipient",
        "secret",
        "secrets",
        "session",
        "sessionid",
        "sid",
        "sin",
        "ssn",
        "street",
        "surname",
        "taxid",
        "tel",
        "telephone",
        "token",
        "tokens",
        "username",
        "zip",
        "zipcode",
    )
)
_SENSITIVE_PHRASES = frozenset(
    (
        ("account", "number"),
        ("api", "key"),
        ("access", "key"),
        ("private", "key"),
        ("birth", "date"),
        ("date", "birth"),
        ("of", "birth"),
        ("bank", "account"),
        ("client", "ip"),
        ("contact", "name"),
        ("customer", "name"),
        ("family", "name"),
        ("first", "name"),
        ("full", "name"),
        ("given", "name"),
        ("holder", "name"),
        ("ip", "addr"),
        ("last", "name"),
        ("middle", "name"),
        ("post", "code"),
        ("postal", "code"),
        ("security", "code"),
        ("tax", "id"),
        ("user", "name"),
        ("vat", "number"),
    )
)
# Words behind which a sensitive word means something else.
_HARMLESS_PHRASES = frozenset(
    (("gift", "card"), ("gift", "cards"), ("card", "type"), ("address", "type"), ("phone", "case"))
)

AT = re.compile(rb"@|%40|\\u0040|&#64;")
_LOCAL_CHARS = bytes(
    byte for byte in range(256) if chr(byte).isalnum() or chr(byte) in "._%+~-" or byte >= 0x80
)
_DOMAIN = re.compile(
    AT.pattern.join((b"(?:", b")"))
    + rb"(?:[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]*[A-Za-z0-9\x80-\xff])?\.)+"
    rb"[A-Za-z\x80-\xff]{2,24}"
)
_LOCAL_MAX, _DOMAIN_MAX, _ESCAPE = 64, 260, 6
_BACKSLASHES_MAX = 4_096
# Thirteen to nineteen digits, singly spaced (a form
# writes + for a space) or dashed, that start like a card of a known
# scheme. EAN-13 and ISBN-13 start otherwise, and so do epoch times; the fraction of a
# decimal number and the digits of a mark are none either.
CARD = re.compile(rb"(?<![0-9])(?<![0-9]\.)(?<!hmac:)[2-6][0-9](?:[ +-]?[0-9]){11,17}(?![0-9])")
# A run that looks like the beginning of a JSON web token is consumed whole, and is one
# when the group is there: looking at each `eyJ` in it again would take quadratic time.
JWT = re.compile(rb"eyJ[A-Za-z0-9_-]{5,}+(\.[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_-]*+)?)?")
API_KEY = re.compile(rb"(?<![A-Za-z0-9])(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{8,}")

_SCHEMES = re.compile(
    r"4\d{12}(?:\d{3})?(?:\d{3})?"
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|62\d{14,17}|(?:50|5[6-9]|6[0-9])\d{11,17}"
)


@lru_cache(maxsize=8_192)
def is_sensitive_name(name: str) -> bool:
    """Whether a JSON key, form field, query parameter or header of this name is hidden."""
    words = tuple(word.lower() for word in _WORDS.findall(name))
    pairs = set(pairwise(words))
    if pairs & _SENSITIVE_PHRASES:
        return True
    if any(first in ("line", "address") and second.isdigit() for first, second in pairs):
        return True
    if pairs & _HARMLESS_PHRASES:
        return False
    return not _SENSITIVE_WORDS.isdisjoint(words)


def find_emails(data: bytes) -> Iterator[tuple[int, int]]:
    """Where e-mail addresses begin and end. Looks around each @ only, so the time goes
    with their number; a pattern that begins with a name would try every letter.
    """
    done = 0
    for at in AT.finditer(data):
        if at.start() < done:
            continue
        found = _DOMAIN.match(data, at.start(), at.start() + _DOMAIN_MAX)
        if found is None:
            continue
        start = _local_start(data, done, at.start())
        if start < at.start():
            done = found.end()
            yield start, done


def _local_start(data: bytes, first: int, at: int) -> int:
    """Where the name before an @ begins, 64 bytes before it at most."""
    low = max(first, at - _LOCAL_MAX - _ESCAPE)
    start = low + len(data[low:at].rstrip(_LOCAL_CHARS))
    # A JSON escape stands on its own: in "\nann@example.org" the n is no part of the name.
    before = data[max(first, start - _BACKSLASHES_MAX) : start]
    if (len(before) - len(before.rstrip(b"\\"))) % 2:
        is_code = data[start : start + 1] == b"u" and start + 5 <= at
        start += 5 if is_code and _HEX.fullmatch(data, start + 1, start + 5) else 1
    return max(start, at - _LOCAL_MAX)


def bare_digits(text: str) -> str:
    """A card number without what people and forms put between its digits."""
    return text.replace(" ", "").replace("-", "").replace("+", "")


def is_card_number(text: str) -> bool:
    """Whether digits (spaces and dashes aside) are a card number with a right check digit."""
    digits = bare_digits(text)
    if not _SCHEMES.fullmatch(digits):
        return False
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
