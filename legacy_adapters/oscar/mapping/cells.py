"""Cells of oscar's tables, as three databases hand them out, read strictly.

SQLite gives numbers, text and 0 or 1; PostgreSQL gives decimals, aware times and booleans;
MariaDB something in between. A cell that is none of what it should be is corrupt: it parks
its product instead of becoming a default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from legacy_adapters.errors import RowCorrupt
from new_core.domain.money import unit_micro
from new_core.errors import InvalidValue

MAX_TEXT = 1_048_576
"""Longest text of one cell, in characters."""

_MAX_INTEGER = 2**31 - 1
_MAX_KEY = 2**63 - 1


class Row:
    """One row of one table, read cell by cell."""

    def __init__(self, table: str, cells: Mapping[str, Any]) -> None:
        self._table = table
        self._cells = cells

    def key(self, column: str) -> str:
        """A reference to another row, or the row's own key, as text."""
        return str(self.integer(column, least=1, most=_MAX_KEY))

    def key_or_none(self, column: str) -> str | None:
        """The same for a column that may be empty."""
        return None if self._cells[column] is None else self.key(column)

    def text(self, column: str, *, longest: int = MAX_TEXT) -> str:
        """Text that must be there, maybe empty."""
        value = self.text_or_none(column, longest=longest)
        if value is None:
            raise self.corrupt(column, "is NULL")
        return value

    def text_or_none(self, column: str, *, longest: int = MAX_TEXT) -> str | None:
        """Text, or None where the database has NULL."""
        value = self._cells[column]
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.corrupt(column, f"is {value!r}, not text")
        if len(value) > longest:
            raise self.corrupt(column, f"has {len(value)} characters, more than {longest}")
        if "\x00" in value:
            raise self.corrupt(column, "contains a NUL character, which PostgreSQL cannot hold")
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            raise self.corrupt(column, "contains half of a surrogate pair")
        return value

    def integer(self, column: str, *, least: int = -_MAX_INTEGER, most: int = _MAX_INTEGER) -> int:
        """An integer that must be there."""
        value = self.integer_or_none(column, least=least, most=most)
        if value is None:
            raise self.corrupt(column, "is NULL")
        return value

    def integer_or_none(
        self, column: str, *, least: int = -_MAX_INTEGER, most: int = _MAX_INTEGER
    ) -> int | None:
        """An integer, or None where the database has NULL."""
        value = self._cells[column]
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.corrupt(column, f"is {value!r}, not an integer")
        if not least <= value <= most:
            raise self.corrupt(column, f"is {value}, not in {least} to {most}")
        return value

    def truth(self, column: str) -> bool:
        """Yes or no."""
        value = self._cells[column]
        if isinstance(value, int) and value in (0, 1):
            return bool(value)
        raise self.corrupt(column, f"is {value!r}, not true or false")

    def truth_or_none(self, column: str) -> bool | None:
        """Yes, no, or None where the database has NULL."""
        return None if self._cells[column] is None else self.truth(column)

    def number_or_none(self, column: str) -> float | None:
        """A float, or None where the database has NULL."""
        value = self._cells[column]
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise self.corrupt(column, f"is {value!r}, not a number")
        try:
            number = float(value)
        except (ValueError, OverflowError) as exc:
            raise self.corrupt(column, f"is {value}, which is no double") from exc
        if not math.isfinite(number):
            raise self.corrupt(column, f"is {number}, which JSON cannot say")
        return number

    def price_micro_or_none(self, column: str) -> int | None:
        """A price in millionths, or None where the database has NULL."""
        value = self._cells[column]
        if value is None:
            return None
        try:
            # SQLite hands out a float for 7.99; its shortest text is what was stored.
            amount = value if isinstance(value, Decimal) else Decimal(str(value))
            return unit_micro(amount)
        except InvalidOperation as exc:
            raise self.corrupt(column, f"is {value!r}, not a number") from exc
        except InvalidValue as exc:
            raise self.corrupt(column, exc.problem) from exc

    def moment(self, column: str) -> datetime:
        """A time; one without a zone is in UTC, as Django stores it."""
        value = self._cells[column]
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError as exc:
            raise self.corrupt(column, f"is {value!r}, not a time") from exc
        if not isinstance(moment, datetime):
            raise self.corrupt(column, f"is {value!r}, not a time")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    def moment_or_none(self, column: str) -> datetime | None:
        """A time, or None where the database has NULL."""
        return None if self._cells[column] is None else self.moment(column)

    def day_or_none(self, column: str) -> date | None:
        """A date, or None where the database has NULL."""
        value = self._cells[column]
        if value is None:
            return None
        try:
            day = date.fromisoformat(value) if isinstance(value, str) else value
        except ValueError as exc:
            raise self.corrupt(column, f"is {value!r}, not a date") from exc
        if not isinstance(day, date) or isinstance(day, datetime):
            raise self.corrupt(column, f"is {value!r}, not a date")
        return day

    def corrupt(self, column: str, problem: str) -> RowCorrupt:
        """The error to raise about one of the row's cells."""
        return RowCorrupt(f"{self._table}.{column}", problem)
