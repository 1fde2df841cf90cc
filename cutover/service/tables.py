"""Tables read from bytes, the last few kept: plans and undos look at the same again and again."""

from __future__ import annotations

from functools import lru_cache

from proxy.errors import RoutingFileError
from proxy.routing import RoutingTable
from proxy.storage.tables import parse_routing

_KEPT = 8


def parsed(content: bytes, name: str) -> RoutingTable:
    """The table of these bytes; of a large one it takes tenths of a second the first time.

    Raises:
        RoutingFileError: it does not load; problems are placed in `name`.
    """
    try:
        return _parsed(content)
    except RoutingFileError:
        return parse_routing(content, name)


@lru_cache(maxsize=_KEPT)
def _parsed(content: bytes) -> RoutingTable:
    return parse_routing(content, "")
