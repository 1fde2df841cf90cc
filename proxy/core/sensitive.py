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
# Letters that are no ASCII, as they are, percent-encoded, or as JSON escapes them.
_OTHER = rb"[\x80-\xff]|%[89A-Fa-f][0-9A-Fa-f]|\\u(?!00[0-7])[0-9A-Fa-f]{4}"
_LABEL = rb"(?:[A-Za-z0-9]|" + _OTHER + rb")"
_DOMAIN = re.compile(
    AT.pattern.join((b"(?:", b")"))
    + rb"(?:"
    + _LABEL
    + rb"(?:-*+"
    + _LABEL
    + rb")*+\.)+"
    + rb"(?:[A-Za-z]|"
    + _OTHER
    + rb"){2,24}"
)
_LOCAL_MAX, _DOMAIN_MAX, _ESCAPE = 64, 260, 6
_BACKSLASHES_MAX = 4_096
# Thirteen digits or more, singly spaced (a form writes + for a space, a URL %20) or dashed.
# What begins with a digit is found fast; what stands before it is looked at afterwards.
CARD = re.compile(rb"[0-9](?:(?:%20|[ +-])?+[0-9]){12,}+")
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


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case: `homePhone_2` has home, phone and 2."""
    return tuple([word.lower() for word in _WORDS.findall(name)])


@lru_cache(maxsize=8_192)
def is_sensitive_name(name: str) -> bool:
    """Whether a JSON key, form field, query parameter or header of this name is hidden."""
    words = words_of(name)
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
    """Where the name before an @ begins, 64 bytes before it at most, or a few more where it
    holds letters that JSON escapes.
    """
    low = max(first, at - _LOCAL_MAX - _ESCAPE)
    start = low + len(data[low:at].rstrip(_LOCAL_CHARS))
    for _ in range(_LOCAL_MAX):
        # A JSON escape stands on its own: in "\nann@example.org" the n is no part of the name.
        before = data[max(first, start - _BACKSLASHES_MAX) : start]
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            break
        code = data[start + 1 : start + 5] if data[start : start + 1] == b"u" else b""
        if start + 5 > at or not _HEX.fullmatch(code):
            start += 1
            break
        if not _is_letter(int(code, 16)):
            start += 5
            break
        low = max(first, start - 1 - _LOCAL_MAX)
        start = low + len(data[low : start - 1].rstrip(_LOCAL_CHARS))
    return start


def _is_letter(code: int) -> bool:
    """Whether a character may stand in the name before an @."""
    return code >= 0xA1 or chr(code).isalnum() or chr(code) in "._%+~-"


def bare_digits(text: str) -> str:
    """A card number without what people and forms put between its digits."""
    return text.replace(" ", "").replace("-", "").replace("+", "")


def is_card_number(text: str) -> bool:
    """Whether digits (spaces and dashes aside) are a card number with a right check digit."""
    digits = bare_digits(text)
    if not _SCHEMES.fullmatch(digits) or is_product_code(digits):
        return False
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_product_code(digits: str) -> bool:
    """Whether these are thirteen digits with the check digit of an EAN: one in ten of them
    has a card's check digit too, and no scheme has issued cards of that length for decades.
    """
    if len(digits) != 13:
        return False
    return sum([int(digit) * (1 + 2 * (index % 2)) for index, digit in enumerate(digits)]) % 10 == 0
