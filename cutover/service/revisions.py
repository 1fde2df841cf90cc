"""Revisions read back from their files, the last ones kept: a plan asks much of the same few."""

from __future__ import annotations

from functools import lru_cache

from cutover.core.revision import Revision, from_json

_KEPT = 256


@lru_cache(maxsize=_KEPT)
def read_back(content: bytes) -> Revision:
    """The revision of these bytes; of a large table it takes a millisecond the first time.

    Raises:
        DamagedRevision: as `from_json` does, each time.
    """
    return from_json(content)
