"""Text that every store of evidence can hold."""

from __future__ import annotations


def storable(text: str) -> str:
    """The text without what PostgreSQL refuses: NUL, and halves of surrogate pairs."""
    if text.isascii() and "\0" not in text:
        return text
    return (
        text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
    )


def short(text: str, limit: int) -> str:
    """At most `limit` characters, and a note of how much was cut."""
    text = storable(text)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"
