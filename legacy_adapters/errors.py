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


class SourceUnavailable(AdapterError):
    """A database whose changes are captured or applied did not answer; safe to try again."""


class SourceLost(AdapterError):
    """The log from the asked position on is gone; only a new backfill helps."""


class SourceUnfit(AdapterError):
    """A database is set up so that its changes cannot be captured; the text says what to do."""


class FenceTimeout(AdapterError):
    """Writers did not finish in time, so the fence was not closed; nothing changed."""


class FencedOut(AdapterError):
    """Somebody with a newer term has taken over; nothing was written."""


class RowRefused(AdapterError):
    """A database refuses a row, e.g. by a constraint; nothing of the transaction stays.

    Attributes:
        table: the table's name, "" where it is not known.
    """

    def __init__(self, table: str, problem: str) -> None:
        super().__init__(f"{table or 'a table'} refuses a row: {problem}")
        self.table = table


class BackfillTooEarly(AdapterError):
    """A backfill was asked for before the stream of changes has begun."""


class TakenOver(AdapterError):
    """Another process carries this stream; this one must stop."""
