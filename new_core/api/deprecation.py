"""Routes that will go: they say so in every answer (RFC 9745, RFC 8594)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from starlette.types import Scope

_MARK = "x-banyan-deprecated"


def deprecated(since: datetime, *, sunset: datetime | None = None, see: str) -> dict[str, Any]:
    """A route's `openapi_extra`; `**TAKES_BACK` goes beside it.

    Args:
        since: from when on nobody new should use it.
        sunset: when it goes; None when that is not known.
        see: URL of what to use instead.
    """
    headers = {
        "deprecation": f"@{int(since.timestamp())}",
        "link": f'<{see}>; rel="deprecation"; type="text/html"',
    }
    if sunset is not None:
        headers["sunset"] = format_datetime(sunset.astimezone(UTC), usegmt=True)
    return {"deprecated": True, _MARK: headers}


def deprecation_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """What the answer of a request's route says besides."""
    extra = getattr(scope.get("route"), "openapi_extra", None) or {}
    return [(name.encode(), value.encode()) for name, value in extra.get(_MARK, {}).items()]
