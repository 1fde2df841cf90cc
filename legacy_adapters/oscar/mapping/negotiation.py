"""Which answer a request wants, by the rules of Django REST framework."""

from __future__ import annotations

_KNOWN = (("application", "json"), ("text", "html"))


def acceptable(accept: str) -> bool:
    """Whether the API can answer an Accept header; it has JSON and a page for people.

    The facade answers JSON where oscar would show that page.
    """
    ranges = [one.partition(";")[0].strip() for one in accept.split(",")]
    return any(_matches(one, kind, subtype) for one in ranges for kind, subtype in _KNOWN)


def _matches(media_range: str, kind: str, subtype: str) -> bool:
    wanted_kind, _, wanted_subtype = media_range.partition("/")
    return wanted_kind in ("*", kind) and wanted_subtype in ("*", subtype)


def format_known(override: str | None) -> bool:
    """Whether the `format` parameter names an answer that the API has."""
    return override in (None, "", "json", "api")
