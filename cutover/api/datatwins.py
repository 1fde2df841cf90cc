"""Pages as JSON, member by member: sentences as text, moments in ISO 8601."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from cutover.api.datadomain import DataDomain
from cutover.api.dataflip import FlipPage
from cutover.api.dataview import DataView
from cutover.api.figures import iso_time
from cutover.api.words import When, plain


def data_twin(view: DataView | DataDomain | FlipPage) -> dict[str, Any]:
    """`GET /api/data` and what is below it: what the page says, member by member."""
    return page_twin(view, view.now_s)


def page_twin(view: object, now_s: float) -> dict[str, Any]:
    """What a page says, member by member."""
    told = _plain(view, now_s)
    body: dict[str, Any] = {"at": iso_time(now_s)}
    body |= {name: value for name, value in told.items() if name != "now"}
    return body


def _plain(value: object, now_s: float) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return iso_time(value.timestamp())
    if isinstance(value, tuple):
        if any(isinstance(one, When) for one in value):
            return plain(value, now_s)
        return [_plain(one, now_s) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return dict(
            _member(one.name, getattr(value, one.name), now_s)
            for one in fields(value)
            if one.name != "anchor"
        )
    return value


def _member(name: str, value: object, now_s: float) -> tuple[str, Any]:
    """Seconds since the epoch become moments, under a name without the unit."""
    if name.endswith("_s") and (value is None or isinstance(value, float)):
        return name.removesuffix("_s"), None if value is None else iso_time(value)
    return name, _plain(value, now_s)
