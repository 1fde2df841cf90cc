"""Errors that this package raises on purpose."""

from __future__ import annotations


class AdapterError(Exception):
    """Root of this package's errors."""


class LegacyUnavailable(AdapterError):
    """The legacy database did not answer; safe to try again."""


class LegacyUnreadable(AdapterError):
    """The legacy database is not the one that the adapter knows, e.g. a table is missing."""


class BackfillBusy(AdapterError):
    """Another backfill of the same slice is running."""


class RowCorrupt(AdapterError):
    """A legacy row that cannot be mapped; never retried before the row is mended.

    Attributes:
        field: table and column.
        problem: what is wrong, as the rest of a sentence.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem
