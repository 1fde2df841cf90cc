"""A store's answer, as it came over the wire."""

from __future__ import annotations

from dataclasses import dataclass

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
        values = [value.strip() for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None
