"""The client's side of an exchange, as the exchange sees it."""

from __future__ import annotations

from typing import Protocol


class Asking(Protocol):
    """A client's connection.

    Attributes:
        peer: its address.
        scheme: b"http" or b"https", as the client came to us.
        asker: what stores are told of it (`asker_lines`).
    """

    peer: bytes
    scheme: bytes
    asker: bytes

    def write(self, parts: list[bytes]) -> None:
        """Send bytes to the client."""
        ...

    def touch(self, seconds: float) -> None:
        """Something moved: the next must move within this time."""
        ...

    def hold(self, *, is_held: bool) -> None:
        """Stop or go on taking the request's body from the client."""
        ...

    def tunnel(self) -> None:
        """What comes from the client from now on is not HTTP."""
        ...

    def tunnelled(self) -> bytes:
        """What the client sent early for the tunnel."""
        ...

    def ended(self, *, keep_alive: bool) -> None:
        """The answer was written whole."""
        ...

    def refused(self, status: int, detail: str, retry_after_s: int = 1) -> None:
        """There is no answer but this one, of the proxy's own."""
        ...

    def cut_off(self) -> None:
        """The answer broke off: end the connection so that nobody takes it for whole."""
        ...
