"""The clock that the edge hands down. Apart, because all that syncs needs only this."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The clock that everything here is handed."""
    return datetime.now(tz=UTC)  # noqa: TID251 - this is the clock that is handed down
