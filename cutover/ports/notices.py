"""What telling others needs from the outside."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cutover.core.hook import Hook, Progress


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """What came back of a POST.

    Attributes:
        status: None where no answer came.
        problem: why it is no success; "" for a 2xx.
        asked_pause_s: how long the receiver asks to be left alone; None where it does not.
    """

    status: int | None
    problem: str = ""
    asked_pause_s: float | None = None


class Post(Protocol):
    """Sends one request, within seconds. Never raises for what the other side does."""

    def __call__(
        self, url: str, headers: Mapping[str, str], body: bytes
    ) -> Awaitable[PostAnswer]: ...


class Hooks(Protocol):
    """Who is to be told."""

    def all(self) -> Sequence[Hook]:
        """Every hook, in the order in which they were added. Raises CannotRead."""
        ...


class Notices(Protocol):
    """How far the telling has come, as it outlives the process."""

    def read(self) -> Mapping[str, Progress]:
        """Hook's id to its progress; nothing where it is absent or damaged."""
        ...

    def write(self, progress: Mapping[str, Progress]) -> None:
        """Replace it all, synced. Raises CannotWrite."""
        ...
