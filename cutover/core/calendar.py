"""When a step forward may be taken, by the clock of the people who watch over it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from proxy.routing import Calendar, Freeze, Hours

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LOOK_AHEAD_DAYS = 400
_MIDNIGHT = 24 * 60


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Whether a step forward may be taken at a moment (aware)."""
    return _freeze_of(calendar, at) is None and _within_hours(calendar, at)


def closed_because(calendar: Calendar, at: datetime) -> str:
    """Why not, and when it may; "" while it may."""
    freeze = _freeze_of(calendar, at)
    if freeze is not None:
        why = f" ({freeze.why})" if freeze.why else ""
        found = f"{freeze.first} to {freeze.last} nothing moves forward{why}"
    elif not _within_hours(calendar, at):
        found = f"steps are taken {hours_text(calendar)} in {calendar.zone}"
    else:
        return ""
    opens = opens_at(calendar, at)
    then = f"it opens {opens:%Y-%m-%d %H:%M %Z}" if opens else "it does not open within a year"
    return f"{found}; {then}"


def opens_at(calendar: Calendar, at: datetime) -> datetime | None:
    """The next moment from `at` on that is open, in the calendar's zone; None for none within
    some 400 days.

    A moment that a change to summer time leaves out opens with the first one after it.
    """
    if is_open(calendar, at):
        return at.astimezone(ZoneInfo(calendar.zone))
    zone = ZoneInfo(calendar.zone)
    here = at.astimezone(zone)
    starts = sorted({0, *(one.from_minute for one in calendar.hours)})
    for ahead in range(_LOOK_AHEAD_DAYS):
        day = here.date() + timedelta(days=ahead)
        for minute in starts:
            # On the wall's clock: minutes are added to a day whatever length it has.
            moment = datetime.combine(day, time(tzinfo=zone)) + timedelta(minutes=minute)
            # There and back over UTC: an hour that does not exist becomes the one that does.
            moment = datetime.fromtimestamp(moment.timestamp(), zone)
            if moment >= here and is_open(calendar, moment):
                return moment
    return None


def hours_text(calendar: Calendar) -> str:
    """The hours in a few words; "at any time" where there are none."""
    return ", ".join(_span(one) for one in calendar.hours) or "at any time"


def calendar_text(calendar: Calendar | None) -> str:
    """The whole calendar in a few words."""
    if calendar is None:
        return "none"
    frozen = ", ".join(f"{one.first} to {one.last}" for one in calendar.freezes)
    said = f"{hours_text(calendar)} in {calendar.zone}"
    return f"{said}, not {frozen}" if frozen else said


def _freeze_of(calendar: Calendar, at: datetime) -> Freeze | None:
    day = at.astimezone(ZoneInfo(calendar.zone)).date()
    return next((one for one in calendar.freezes if one.first <= day <= one.last), None)


def _within_hours(calendar: Calendar, at: datetime) -> bool:
    if not calendar.hours:
        return True
    here = at.astimezone(ZoneInfo(calendar.zone))
    minute = here.hour * 60 + here.minute
    return any(
        here.weekday() in one.weekdays and one.from_minute <= minute < one.until_minute
        for one in calendar.hours
    )


def _span(hours: Hours) -> str:
    days = " ".join(_DAYS[day] for day in sorted(hours.weekdays))
    return f"{days} {_clock(hours.from_minute)}-{_clock(hours.until_minute)}"


def _clock(minute: int) -> str:
    return "24:00" if minute == _MIDNIGHT else f"{minute // 60:02}:{minute % 60:02}"
