"""Host names: how a request says them, and which names of routes they fall under."""

from __future__ import annotations

import re

_NAME = re.compile(
    r"(?:\*\.)?[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?)*",
    re.ASCII,
)
_ADDRESS = re.compile(r"\[[0-9a-f:.]+\]", re.ASCII)
_MAX_CHARS = 253


def is_host_name(text: str) -> bool:
    """True for a lower-case name, `*.` before a name, or an address; never with a port."""
    if len(text) > _MAX_CHARS:
        return False
    return _NAME.fullmatch(text) is not None or _ADDRESS.fullmatch(text) is not None


def host_name(host: str) -> str:
    """A Host field's name: lower case, without port, without the root's closing dot."""
    if host.startswith("["):
        return host[: host.find("]") + 1].lower()
    return host.partition(":")[0].rstrip(".").lower()


class HostIndex:
    """Names of routes: exact ones, and wildcards by what follows their star."""

    __slots__ = ("_exact", "_wild")

    def __init__(self) -> None:
        self._exact: set[str] = set()
        self._wild: set[str] = set()

    def add(self, name: str) -> None:
        """Add a name, or a wildcard such as "*.example.com"."""
        if name.startswith("*."):
            self._wild.add(name[1:])
        else:
            self._exact.add(name)

    def find(self, host: str) -> tuple[str, ...]:
        """The names that a Host field falls under, most specific first."""
        name = host_name(host)
        if len(name) > _MAX_CHARS:
            return ()
        found = [name] if name in self._exact else []
        if self._wild:
            at = name.find(".", 1)
            while at != -1:
                if name[at:] in self._wild:
                    found.append(f"*{name[at:]}")
                at = name.find(".", at + 1)
        return tuple(found)
