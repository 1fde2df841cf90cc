"""Errors that this package raises on purpose."""

from __future__ import annotations


class CoreError(Exception):
    """Root of this package's errors. Callers catch this one or a leaf."""


class NotFound(CoreError):
    """The caller named something that the core does not have.

    Attributes:
        entity: what was asked for, e.g. "product".
        key: the name under which it was asked for.
    """

    def __init__(self, entity: str, key: str) -> None:
        super().__init__(f"there is no {entity} {key}")
        self.entity = entity
        self.key = key


class InvalidValue(CoreError):
    """A value that the core cannot hold; trying again does not help.

    Attributes:
        field: which value.
        problem: what is wrong with it, as the rest of a sentence.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


class StoreUnavailable(CoreError):
    """The database did not answer, or not in time; nothing was written, safe to try again."""


class SchemaMismatch(CoreError):
    """The database's tables are not those of this program."""


class CursorMoved(CoreError):
    """Another writer moved the import cursor; this one's page was rolled back.

    Attributes:
        stream: name of the cursor.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(f"another import is writing {stream}")
        self.stream = stream


class ChangedMeanwhile(CoreError):
    """The caller wants to change what is not any more as the caller saw it."""


class DryRunStrayed(CoreError):
    """A dry run wanted to leave its transaction and was not let; nothing of it stays."""


class DryRunNotTakenBack(CoreError):
    """A dry run ended and nobody can tell that its transaction was rolled back whole."""
