"""Times and days as stores write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime

_TIME_AT_LEAST = len("2026-01-01T00:00")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_HTTP_DATE = re.compile(
    r"([A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}(:\d{2})? (GMT|[+-]\d{4})", re.ASCII
)
_DIGITS = re.compile(r"\d{9,14}(\.\d{1,9})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Told apart by their size: these bounds are the years 1973 to 5138, for both.
_SECONDS, _MILLISECONDS = (10**8, 10**11), (10**11, 10**14)


def read_time(value: object) -> datetime | None:
    """An ISO 8601 date and time that exists, with or without a zone."""
    if not isinstance(value, str) or not _TIME_AT_LEAST <= len(value) <= 40:
        return None
    if value[10] not in "Tt ":
        return None
    try:
        return datetime.fromisoformat(value.upper())
    except ValueError:
        return None


def read_date(value: object, formats: Sequence[str]) -> datetime | None:
    """A day or a time: ISO 8601, as in HTTP and mail, seconds or milliseconds since 1970,
    or one of the formats. A day is its midnight; epochs are in UTC.
    """
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return _from_epoch(Decimal(value))
    if not isinstance(value, str) or len(value) > 80:
        return None
    if _DIGITS.fullmatch(value):
        return _from_epoch(Decimal(value))
    return _standard(value) or read_time(value) or _formatted(value, formats)


def _standard(value: str) -> datetime | None:
    try:
        if _DAY.fullmatch(value):
            return datetime.fromisoformat(value)
        return parsedate_to_datetime(value) if _HTTP_DATE.fullmatch(value) else None
    except ValueError:
        return None


def distance_s(one: datetime, other: datetime) -> Decimal | None:
    """How far apart two times are; None when only one of them says its zone."""
    if (one.utcoffset() is None) is not (other.utcoffset() is None):
        return None
    return Decimal(abs(one - other) // timedelta(microseconds=1)).scaleb(-6)


def day_of(time: datetime) -> date:
    """The calendar day as it was written."""
    return time.date()


def _from_epoch(value: Decimal) -> datetime | None:
    if _SECONDS[0] <= value < _SECONDS[1]:
        micros = value.scaleb(6)
    elif _MILLISECONDS[0] <= value < _MILLISECONDS[1]:
        micros = value.scaleb(3)
    else:
        return None
    try:
        return _EPOCH + timedelta(microseconds=int(micros)) if micros == int(micros) else None
    except OverflowError:
        return None


def _formatted(value: str, formats: Sequence[str]) -> datetime | None:
    for form in formats:
        try:
            return datetime.strptime(value, form)  # noqa: DTZ007 - the form says if there is one
        except ValueError:
            continue
    return None
