"""What enrolment needs: the book of people and tokens, kept somewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cutover.core.people import Book


class KeptBook(Protocol):
    """The book as it outlives the process."""

    def book(self) -> Book:
        """As it is now. Raises CannotRead: it is damaged."""
        ...

    def change(self, made: Callable[[Book], Book]) -> Book:
        """Replace it by what is made of it; one change at a time, over all processes.

        Raises:
            CannotRead, CannotWrite: the old one stands.
            Conflict: somebody else has been writing for too long.
        """
        ...
