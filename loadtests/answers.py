"""Reads a store's answers as a strict shopper would: what is odd is said, not swallowed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit


class UnexpectedAnswerError(Exception):
    """The store answered, but not what it was asked. The text says what is odd."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: 0 when nothing came back; then `error` says why.
        body: parsed JSON, None when there is none.
    """

    status: int
    body: object = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object whose fields are taken one by one, each by its type."""

    values: dict[str, object]

    def number(self, name: str) -> int:
        """An integer; a boolean is none."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise UnexpectedAnswerError(f"{name} is {value!r}, not an integer")
        return value

    def text(self, name: str) -> str:
        """A string, which may be empty."""
        value = self.values.get(name)
        if not isinstance(value, str):
            raise UnexpectedAnswerError(f"{name} is {value!r}, not a string")
        return value

    def flag(self, name: str) -> bool:
        """A boolean."""
        value = self.values.get(name)
        if not isinstance(value, bool):
            raise UnexpectedAnswerError(f"{name} is {value!r}, not a boolean")
        return value

    def money(self, name: str) -> Decimal:
        """An amount that is not negative, written as a decimal string."""
        value = self.text(name)
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount < 0:
            raise UnexpectedAnswerError(f"{name} is {value!r}, not an amount")
        return amount

    def path(self, name: str, base_url: str) -> str:
        """The path of a link, which must lead back to the host that was asked."""
        link = urlsplit(self.text(name))
        if link.netloc != urlsplit(base_url).netloc.rpartition("@")[2]:
            raise UnexpectedAnswerError(f"{name} leads to another host: {link.netloc!r}")
        return link.path


def expect_status(answer: Answer, *allowed: int) -> None:
    """Raise UnexpectedAnswerError unless the status is one of `allowed`."""
    if answer.status not in allowed:
        raise UnexpectedAnswerError(answer.error or f"status {answer.status}")


def fields(value: object) -> Fields:
    """A JSON object."""
    if not isinstance(value, dict):
        raise UnexpectedAnswerError(f"expected an object, got {type(value).__name__}")
    return Fields(value)


def rows(value: object) -> tuple[Fields, ...]:
    """A JSON array of objects."""
    if not isinstance(value, list):
        raise UnexpectedAnswerError(f"expected an array, got {type(value).__name__}")
    return tuple(fields(row) for row in value)
