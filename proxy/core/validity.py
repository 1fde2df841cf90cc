"""When a certificate expires, read out of its DER (RFC 5280, 4.1)."""

from __future__ import annotations

from datetime import UTC, datetime

_VERSION, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x17, 0x18


def not_after(der: bytes) -> datetime | None:
    """The end of a certificate's validity; None when it cannot be found."""
    try:
        _, certificate, _ = _element(der)
        _, tbs, _ = _element(certificate)
        if tbs[0] == _VERSION:
            tbs = _element(tbs)[2]
        for _ in range(3):  # serial number, signature, issuer
            tbs = _element(tbs)[2]
        _, validity, _ = _element(tbs)
        kind, text, _ = _element(_element(validity)[2])
        return _time(kind, text.decode("ascii"))
    except (IndexError, ValueError):
        return None


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """The first element's tag and content, and what stands behind it."""
    tag, length, begins = data[0], data[1], 2
    if length & 0x80:
        begins += length & 0x7F
        length = int.from_bytes(data[2:begins], "big")
    if len(data) < begins + length:
        raise ValueError("cut off")
    return tag, data[begins : begins + length], data[begins + length :]


def _time(kind: int, text: str) -> datetime:
    if kind == _UTC_TIME:
        # Two digits of a year: 50 to 99 are of the last century.
        text = ("19" if text[:2] >= "50" else "20") + text
    elif kind != _GENERALIZED_TIME:
        raise ValueError("no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
