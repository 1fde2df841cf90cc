"""Errors that this package raises on purpose."""

from __future__ import annotations


class CutoverError(Exception):
    """Root of this package's errors. The message is one line for people."""


class SettingsError(CutoverError):
    """A BANYAN_* variable has a value that cannot be used."""


class CannotRead(CutoverError):
    """A file of the applied state cannot be read."""


class RelativeFiles(CutoverError):
    """A table names files by relative paths, which mean others once it is in force."""


class CannotWrite(CutoverError):
    """A file of the applied state cannot be written. Nothing came into force."""


class Conflict(CutoverError):
    """What is in force changed while a step was being prepared; safe to try again."""


class DoorClosed(CutoverError):
    """The proxy's side door does not answer.

    Attributes:
        is_refused: True when nothing listens there, so that waiting is no use.
    """

    def __init__(self, message: str, *, is_refused: bool) -> None:
        super().__init__(message)
        self.is_refused = is_refused


class NothingInForce(CutoverError):
    """No table was ever applied here."""


class UnknownDomain(CutoverError):
    """The table in force has no domain of that name."""


class IllegalStep(CutoverError):
    """What was asked for is no rollback."""
