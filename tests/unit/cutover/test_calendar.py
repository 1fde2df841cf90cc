"""When a step forward may be taken: hours, freezes, and clocks that people change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.calendar import calendar_text, closed_because, is_open, opens_at
from proxy.routing import Calendar, Freeze, Hours

TORONTO = ZoneInfo("America/Toronto")
WORKING = Hours(frozenset(range(4)), 9 * 60, 16 * 60)
BUSY = Freeze(date(2026, 11, 20), date(2026, 12, 2), "the busiest days")

spans = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda two: two[0] < two[1])
hours = st.builds(
    lambda days, span: Hours(days, *span), st.frozensets(st.integers(0, 6), min_size=1), spans
)
days = st.dates(date(2026, 1, 1), date(2026, 12, 31))
freezes = st.builds(
    lambda first, n: Freeze(first, first + timedelta(n), ""), days, st.integers(0, 40)
)
calendars = st.builds(
    Calendar,
    st.sampled_from(["UTC", "America/Toronto", "Europe/Berlin", "Australia/Lord_Howe"]),
    st.lists(hours, max_size=3).map(tuple),
    st.lists(freezes, max_size=3).map(tuple),
)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(0, 365 * 24 * 60).map(lambda minutes: BEGIN + timedelta(minutes=minutes))


def test_without_hours_and_freezes_it_is_always_open() -> None:
    assert closed_because(Calendar(), datetime(2026, 1, 1, tzinfo=UTC)) == ""


def test_a_freeze_holds_from_its_first_midnight_to_its_last_in_its_own_zone() -> None:
    calendar = Calendar("America/Toronto", (), (BUSY,))

    assert is_open(calendar, datetime(2026, 11, 19, 23, 59, tzinfo=TORONTO))
    assert not is_open(calendar, datetime(2026, 11, 20, 5, 0, tzinfo=UTC))
    assert not is_open(calendar, datetime(2026, 12, 2, 23, 59, tzinfo=TORONTO))
    assert is_open(calendar, datetime(2026, 12, 3, tzinfo=TORONTO))


def test_a_closed_calendar_says_why_and_until_when() -> None:
    calendar = Calendar("America/Toronto", (WORKING,), (BUSY,))

    frozen = closed_because(calendar, datetime(2026, 11, 26, 12, tzinfo=TORONTO))
    late = closed_because(calendar, datetime(2026, 11, 17, 17, tzinfo=TORONTO))

    assert frozen == (
        "2026-11-20 to 2026-12-02 nothing moves forward (the busiest days);"
        " it opens 2026-12-03 09:00 EST"
    )
    assert late == (
        "steps are taken Mon Tue Wed Thu 09:00-16:00 in America/Toronto;"
        " it opens 2026-11-18 09:00 EST"
    )


def test_hours_follow_the_wall_clock_over_a_change_of_time() -> None:
    calendar = Calendar("America/Toronto", (Hours(frozenset(range(7)), 9 * 60, 10 * 60),))

    assert is_open(calendar, datetime(2026, 10, 31, 13, 30, tzinfo=UTC))
    assert is_open(calendar, datetime(2026, 11, 1, 14, 30, tzinfo=UTC))
    assert not is_open(calendar, datetime(2026, 11, 1, 13, 30, tzinfo=UTC))


def test_an_hour_that_a_change_of_time_leaves_out_opens_after_it() -> None:
    calendar = Calendar("America/Toronto", (Hours(frozenset((6,)), 150, 240),))

    opens = opens_at(calendar, datetime(2026, 3, 8, 1, 0, tzinfo=TORONTO))

    assert opens == datetime(2026, 3, 8, 3, 30, tzinfo=TORONTO)


def test_a_calendar_that_never_opens_says_so() -> None:
    always = Freeze(date(2020, 1, 1), date(2100, 1, 1), "")

    found = closed_because(Calendar("UTC", (), (always,)), datetime(2026, 1, 1, tzinfo=UTC))

    assert found.endswith("it does not open within a year")


@given(calendars, moments)
def test_what_is_closed_opens_at_the_moment_it_names_and_not_before(
    calendar: Calendar, at: datetime
) -> None:
    opens = opens_at(calendar, at)

    if is_open(calendar, at):
        assert opens == at
        return
    assert opens is None or (opens > at and is_open(calendar, opens))
    end = opens or at + timedelta(days=30)
    minute = at
    while minute < min(end, at + timedelta(days=3)):
        assert not is_open(calendar, minute)
        minute += timedelta(minutes=17)


@pytest.mark.parametrize(
    ("calendar", "text"),
    [
        (None, "none"),
        (Calendar(), "at any time in UTC"),
        (Calendar("UTC", (), (BUSY,)), "at any time in UTC, not 2026-11-20 to 2026-12-02"),
    ],
)
def test_a_calendar_is_told_in_a_few_words(calendar: Calendar | None, text: str) -> None:
    assert calendar_text(calendar) == text
