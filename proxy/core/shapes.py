"""Hide values whose shape proves what they are, wherever they stand in a text."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from proxy.core.sensitive import (
    API_KEY,
    AT,
    CARD,
    JWT,
    find_emails,
    is_card_number,
)

Mark = Callable[[bytes], str]

_PLUS = re.compile(rb"(?:\+|%2[bB]|\\u002[bB]|&#43;)[1-9]")
# Behind a plus sign that no letter or digit precedes, apart or not.
_E164 = re.compile(
    rb"(?<![A-Za-z0-9+])(?:\+|%2[bB]|\\u002[bB]|&#43;)"
    rb"([1-9][0-9]{0,3}+(?:(?:%20|[ ./-])?+(?:\([0-9]{1,5}\)|[0-9]++)){1,8}+)"
)
# An area code in brackets that begins with 0, or three digits as in North America.
_BRACKETED = re.compile(
    rb"(\((?:0[1-9][0-9]{1,3}|[2-9][0-9]{2})\)[ -]?[0-9]{3,8}+(?:[ -][0-9]{2,5}+){0,3}+)(?![0-9])"
)
_BEARER = re.compile(rb"(?<![A-Za-z0-9])[Bb]earer(?: |%20|\+)++([A-Za-z0-9._~+/-]{16,}+=*+)")
_IBAN_START = re.compile(rb"[A-Z]{2}[0-9]{2}")
_IBAN = re.compile(rb"[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,29}+")
_DIGITS = re.compile(rb"[0-9]+")
_LONG = re.compile(rb"[0-9]{13}|^[A-Z]{2}[0-9]{2}[A-Z]{4}[0-9]{5}")
_GAP = re.compile(rb"%20|[ +-]")
_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SPELLED_AT = re.compile(rb"%40|\\u0040|&#64;")
_ESCAPE = re.compile(rb"\\u([0-9a-fA-F]{4})")
_UUID_BYTES = 36
_BEFORE_BYTES = 5
# What `_suspects` says, in bits.
_CARDS, _IBANS, _EMAILS, _PHONES, _JWTS, _API_KEYS, _BEARERS = 1, 2, 4, 8, 16, 32, 64
_BETWEEN_DIGITS = b" +-"
# Digits to "0", capitals to "A", "_" to itself; what addresses, telephone numbers and escapes
# cannot do without to "@"; the rest to ".".
_COARSE = bytes(
    0x30
    if chr(byte) in "0123456789"
    else 0x41
    if 0x41 <= byte <= 0x5A
    else 0x40
    if chr(byte) in "@%\\#("
    else 0x5F
    if chr(byte) == "_"
    else 0x2E
    for byte in range(256)
)
_MANY_DIGITS = b"0" * 13
# An account number that has fewer digits in a row: NL91 ABNA 0417 1643 00.
_SHORT_ACCOUNT = b"AA00AAAA00000"
_AREA = re.compile(rb"\([0-9]{3,5}\)")
_COARSE_API_KEY = re.compile(rb"_[.A]{4}_")  # sk_live_, rk_test_
_PHONE_MIN, _PHONE_MAX = 8, 15
_CARD_MIN, _CARD_MAX, _GROUP_MIN = 13, 19, 3
# How long an account number of a country is; others are none.
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


def may_hold_shapes(data: bytes) -> bool:
    """Whether an address, a card, account or telephone number, or a token may be in here."""
    return _suspects(data) != 0


def _suspects(data: bytes) -> int:
    """Which shapes may be in here, by looks of the kind that bytes answer fast. They may
    suspect what is harmless, never the other way round, whatever the bytes.
    """
    coarse = data.translate(_COARSE, _BETWEEN_DIGITS)
    found = 0
    if _MANY_DIGITS in coarse:
        found = _CARDS | _IBANS if b"AA00" in coarse else _CARDS
    elif _SHORT_ACCOUNT in coarse:
        found = _IBANS
    if b"@" in coarse:
        found |= _signs(data)
    if b"J" in data and b"eyJ" in data:
        found |= _JWTS
    if b"+" in data and _PLUS.search(data):
        found |= _PHONES
    if b"_" in coarse and _COARSE_API_KEY.search(coarse):
        found |= _API_KEYS
    return found | _BEARERS if b"earer" in data else found


def _signs(data: bytes) -> int:
    """The same of what has an @, an escape or a bracket."""
    found = 0
    if b"@" in data or AT.search(data):
        found |= _EMAILS
    if b"%20" in data:
        found |= _CARDS | _IBANS  # the look above took no notice of such spaces
    if (b"(" in data and _AREA.search(data)) or _PLUS.search(data):
        found |= _PHONES
    return found


def hide_shapes(data: bytes, mark: Mark) -> bytes:
    """The text with its addresses, numbers and tokens replaced by `mark`'s answers."""
    suspects = _suspects(data)
    if suspects == 0:
        return data
    if suspects & _BEARERS:
        data = _BEARER.sub(lambda found: _hidden_bearer(found, mark), data)
    if suspects & _EMAILS:
        data = _hidden_emails(data, mark)
    if suspects & _IBANS:
        data = _hidden_ibans(data, mark)
    if suspects & _PHONES:
        data = _hidden_phones(data, mark)
    if suspects & _CARDS:
        data = _all_cards(data, mark)
    if suspects & _JWTS:
        data = JWT.sub(lambda found: mark(found[0]).encode() if found[1] else found[0], data)
    if suspects & _API_KEYS:
        data = API_KEY.sub(lambda found: mark(found[0]).encode(), data)
    return data


def without_shapes(data: bytes) -> bytes:
    """The same for logs and traces, where nothing is compared and no key is at hand."""
    return hide_shapes(data, lambda _: "[hidden]")


def _all_cards(data: bytes, mark: Mark) -> bytes:
    def hide(found: re.Match[bytes]) -> bytes:
        return _hidden_cards(found, mark)

    hidden = CARD.sub(hide, data)
    while hidden != data:
        # Digits behind a digit and a dot are a fraction, until what stands before the
        # dot turns out to be a card itself.
        data, hidden = hidden, CARD.sub(hide, hidden)
    return data


def is_iban(text: bytes) -> bool:
    """Whether letters and digits, without spaces, are an account number with a right check."""
    if len(text) != _IBAN_LENGTHS.get(text[:2].decode("ascii")):
        return False
    turned = (text[4:] + text[:4]).decode("ascii")
    return int("".join([str(int(char, 36)) for char in turned])) % 97 == 1


def _hidden_ibans(data: bytes, mark: Mark) -> bytes:
    out: list[bytes] = []
    done = at = 0
    while (start := _IBAN_START.search(data, at)) is not None:
        at = start.start() + 1
        found = _IBAN.match(data, start.start())
        if found is None or _is_code(data[start.start() - 1 : start.start()]):
            continue
        size = _iban_size(found[0], data[found.end() : found.end() + 1])
        if size:
            bare = _GAP.sub(b"", found[0][:size])
            out += (data[done : start.start()], mark(bare).encode())
            done = at = start.start() + size
    out.append(data[done:])
    return b"".join(out)


def _is_code(before: bytes) -> bool:
    """Whether this byte, a capital or a digit, makes what follows a part of something longer."""
    return before.isdigit() or before.isupper()


def _iban_size(text: bytes, behind: bytes) -> int:
    """How many bytes of a text are an account number; 0 when it begins with none.

    Words behind the number may look like its end: its country says how long it is.
    """
    length = _IBAN_LENGTHS.get(text[:2].decode("ascii"), 0)
    end = seen = 0
    while seen < length and end < len(text):
        seen += text[end] not in b" -"
        end += 1
    rest = text[end : end + 1] or behind
    bare = _GAP.sub(b"", text[:end])
    if seen != length or rest.isalnum() or not is_iban(bare):
        return 0
    # The others cannot be told by a quick look: accounts of few countries, with many letters.
    return end if _LONG.search(bare) else 0


def _hidden_phones(data: bytes, mark: Mark) -> bytes:
    def hide(found: re.Match[bytes]) -> bytes:
        return _hidden_phone(found, mark)

    data = _E164.sub(hide, data)
    if b"(" in data:
        data = _BRACKETED.sub(hide, data)
    return data


def _hidden_bearer(found: re.Match[bytes], mark: Mark) -> bytes:
    """A token has a digit; a word of sixteen letters behind "bearer" is a word."""
    token: bytes = found[1]
    if not _DIGITS.search(token):
        return found[0]
    return found[0][: -len(token)] + mark(token).encode()


def _hidden_phone(found: re.Match[bytes], mark: Mark) -> bytes:
    """Eight to fifteen digits; a number that follows behind a space is none of them."""
    text = found[1]
    digits, end = b"", 0
    for group in _DIGITS.finditer(text.replace(b"%20", b"   ")):
        if len(digits) + len(group[0]) > _PHONE_MAX:
            break
        digits, end = digits + group[0], group.end()
    if len(digits) < _PHONE_MIN or text[end : end + 1].isdigit():
        return found[0]
    sign = b"" if text[:1] == b"(" else b"+"
    end += text[end : end + 1] == b")"
    return mark(sign + digits).encode() + text[end:]


def _hidden_cards(found: re.Match[bytes], mark: Mark) -> bytes:
    """Card numbers among groups of digits, whatever numbers stand before and behind."""
    text = found[0]
    groups = [(group.start(), group.end()) for group in _DIGITS.finditer(_blank(text))]
    before = found.string[max(0, found.start() - _BEFORE_BYTES) : found.start()]
    if before.endswith(b"hmac:") or (before[-1:] == b"." and before[-2:-1].isdigit()):
        del groups[0]  # the digits of a mark, or of a fraction
    out: list[bytes] = []
    done = at = 0
    while at < len(groups):
        end = _card_end(text, groups, at)
        if end and not _is_in_uuid(found, groups[at][0], groups[end - 1][1]):
            card = text[groups[at][0] : groups[end - 1][1]]
            out += (text[done : groups[at][0]], mark(_bare(card)).encode())
            done = groups[end - 1][1]
            at = end
        else:
            at += 1
    out.append(text[done:])
    return b"".join(out)


def _card_end(text: bytes, groups: list[tuple[int, int]], at: int) -> int:
    """Behind which group a card number ends that begins with this one; 0 when none does."""
    size = 0
    for end in range(at, len(groups)):
        width = groups[end][1] - groups[end][0]
        size += width
        if size > _CARD_MAX:
            return 0
        if size >= _CARD_MIN and is_card_number(
            _bare(text[groups[at][0] : groups[end][1]]).decode("ascii")
        ):
            return end + 1
        if width < _GROUP_MIN:  # numbers of a list
            return 0
    return 0


def _blank(text: bytes) -> bytes:
    return text.replace(b"%20", b"   ")


def _bare(text: bytes) -> bytes:
    return _GAP.sub(b"", text)


def _hidden_emails(data: bytes, mark: Mark) -> bytes:
    out: list[bytes] = []
    done = 0
    for start, end in find_emails(data):
        out += (data[done:start], mark(_address(data[start:end])).encode())
        done = end
    out.append(data[done:])
    return b"".join(out)


def _address(spelled: bytes) -> bytes:
    """The address itself, so that all its spellings get one mark."""
    if b"\\" in spelled:
        spelled = _ESCAPE.sub(
            lambda found: chr(int(found[1], 16)).encode("utf-8", "surrogatepass"), spelled
        )
    if b"%" in spelled:
        spelled = unquote_to_bytes(spelled)
    return _SPELLED_AT.sub(b"@", spelled)


def _is_in_uuid(found: re.Match[bytes], start: int, end: int) -> bool:
    """Whether the digits are a part of a UUID that happens to have few letters."""
    start, end = found.start() + start, found.start() + end
    low = max(0, start - _UUID_BYTES)
    around = found.string[low : end + _UUID_BYTES]
    return any(
        low + uuid.start() <= start and end <= low + uuid.end() for uuid in _UUID.finditer(around)
    )
