"""Numbers as people read them. Rounding never flatters: bounds and shares go down."""

from __future__ import annotations

from datetime import UTC, datetime

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


def count(number: int) -> str:
    """12000 -> "12,000"."""
    return f"{number:,}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """(1, "route") -> "1 route"; (2, "route") -> "2 routes"."""
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def percent_of_ppm(ppm: int) -> str:
    """Parts per million as a percentage, rounded down.

    Two digits as a rule, up to four above 99.99 %, where the next nine is the news; only
    a full million reads "100 %".
    """
    if ppm >= 1_000_000:
        return "100 %"
    digits = f"{ppm // 10_000}.{ppm % 10_000:04d}"
    keep = 4 if ppm >= 999_900 else 2
    text = digits[: len(digits) - 4 + keep]
    while len(text.partition(".")[2]) > 2 and text.endswith("0"):
        text = text[:-1]
    return f"{text} %"


def small_share(ppm: int) -> str:
    """A mismatch's share, rounded up: what is there never reads as nothing."""
    if ppm <= 0:
        return "0 %"
    if ppm < 100:
        return "under 0.01 %"
    hundredths = -(-ppm // 100)
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".") + " %"


def plain_percent(ppm: int) -> str:
    """A threshold as it was written: 999000 -> "99.9 %", 950000 -> "95 %"."""
    return f"{ppm / 10_000:.4f}".rstrip("0").rstrip(".") + " %"


def share_of_bp(share_bp: int) -> str:
    """Basis points as a percentage: 1000 -> "10 %", 25 -> "0.25 %"."""
    return f"{share_bp / 100:.2f}".rstrip("0").rstrip(".") + " %"


def milliseconds(value_ms: float) -> str:
    """1.234 -> "1.2 ms", 48.7 -> "49 ms", 1530 -> "1.53 s"."""
    if value_ms >= 1_000:
        return f"{value_ms / 1_000:.2f} s"
    return f"{value_ms:.0f} ms" if value_ms >= 10 else f"{value_ms:.1f} ms"


def age(elapsed_s: float) -> str:
    """How long ago, in the coarsest unit that still says something."""
    seconds = int(elapsed_s)
    if seconds < 1:
        return "just now"
    if seconds < _MINUTE_S:
        return f"{seconds} s ago"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S} min ago"
    if seconds < 2 * _DAY_S:
        return f"{seconds // _HOUR_S} h ago"
    return f"{seconds // _DAY_S} days ago"


def lasting(elapsed_s: float) -> str:
    """How long something took, in the coarsest unit that still says something."""
    if elapsed_s < _MINUTE_S:
        return f"{elapsed_s:.1f} s" if elapsed_s < 10 else f"{elapsed_s:.0f} s"
    if elapsed_s < 2 * _HOUR_S:
        return f"{elapsed_s / _MINUTE_S:.0f} min"
    if elapsed_s < 2 * _DAY_S:
        return f"{elapsed_s / _HOUR_S:.0f} h"
    return f"{elapsed_s / _DAY_S:.0f} days"


def minute_time(at_s: float) -> str:
    """UTC, to the minute, for a table that is printed."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M}"


def exact_time(at_s: float) -> str:
    """UTC, to the second, for hover and print."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso_time(at_s: float) -> str:
    """UTC in ISO 8601, for machines."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def clock_time(at_s: float) -> str:
    """Hours and minutes, UTC, for an axis."""
    return f"{datetime.fromtimestamp(at_s, UTC):%H:%M}"


def day_time(at_s: float) -> str:
    """Month, day and hour, UTC, for an axis longer than a day."""
    return f"{datetime.fromtimestamp(at_s, UTC):%m-%d %H:%M}"
