"""A store's answer, as it came over the wire."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from proxy.core.frame import Headers


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. The body is still encoded as its headers say; all is redacted.

    `elapsed_us` runs from the request's last byte to the answer's last byte.
    """

    status: int
    headers: Headers
    body: bytes
    elapsed_us: int = 0

    def header(self, name: str) -> str | None:
        """All values of a header (lower-case name) joined by ", "; None when absent."""
        return _by_name(self.headers).get(name)


@lru_cache(maxsize=256)
def _by_name(headers: Headers) -> dict[str, str]:
    """Asked for half a dozen times of one answer, and most answers begin alike."""
    found: dict[str, str] = {}
    for key, value in headers:
        name, told = key.lower(), value.strip()
        found[name] = f"{found[name]}, {told}" if name in found else told
    return found
