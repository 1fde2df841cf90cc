"""Since when somebody asks: "7d", "36h", or a day."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from cutover.core.delivery import Window

_SPAN = re.compile(r"(\d{1,4})([hdw])", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
FORMS = "write it like 7d, 36h, 4w or 2026-11-01"


class NoSuchTime(ValueError):
    """What was asked for names no time that has been. The message says how to write one."""


def window_of(since: str, now: datetime) -> Window:
    """From then until now. A day begins at midnight UTC.

    Raises:
        NoSuchTime: it is neither, or has not come yet.
    """
    span = _SPAN.fullmatch(since)
    if span is not None:
        return Window(now - int(span[1]) * _UNITS[span[2]], now)
    try:
        day = date.fromisoformat(since) if _DAY.fullmatch(since) else None
    except ValueError:
        day = None
    if day is None:
        raise NoSuchTime(f"{since} is no time; {FORMS}")
    began = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if began > now:
        raise NoSuchTime(f"{since} has not come yet; {FORMS}")
    return Window(began, now)
