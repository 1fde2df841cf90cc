"""Marks: what stands for a hidden value, and which redactor made them.

Two redactors give a value the same mark exactly when their ids are the same: same key, same
names, same version of the rules. Marks of unlike redactors must never be compared: a key
that was rotated between a capture and its comparison would make every hidden value differ.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

MARK = re.compile(r"\[hmac:[0-9a-f]{16}\]")
PURGED = "purged"

# Raised whenever another text is hidden, or the same one gets another mark.
_RULES = "3"
_ID_BYTES = 4
_MARK_BYTES = 8


def mark_of(key: bytes, value: bytes) -> str:
    """The mark of a value under a key."""
    return f"[hmac:{hmac.digest(key, value, 'sha256')[:_MARK_BYTES].hex()}]"


def key_id(key: bytes) -> str:
    """A name for a key that tells nothing of it: 8 hex digits."""
    return hmac.digest(key, b"banyan: the name of this key", "sha256")[:_ID_BYTES].hex()


def policy_id(session_headers: Iterable[str], show: Iterable[str], hide: Iterable[str]) -> str:
    """A name for what is hidden: 8 hex digits. The order of the names does not matter."""
    headers = [name.lower() for name in session_headers]
    parts = [_RULES, *[repr(sorted(set(names))) for names in (headers, show, hide)]]
    return hashlib.sha256("\n".join(parts).encode()).digest()[:_ID_BYTES].hex()


def unlike(theirs: str, ours: str) -> str | None:
    """Why marks made by one redactor cannot be compared with another's, or None.

    Args: theirs, ours: ids of redactors. A frame of a release that wrote none is taken as
    it is.
    """
    if theirs in ("", ours):
        return None
    if theirs == PURGED:
        return PURGED
    return (
        "other_key"
        if theirs.split(".", maxsplit=1)[0] != ours.split(".", maxsplit=1)[0]
        else "other_privacy"
    )
