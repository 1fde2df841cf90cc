"""Errors that this package raises on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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


class RoomAway(CutoverError):
    """A control room elsewhere gives no answer.

    Attributes:
        is_sent: the request may have reached it, so nobody knows what it did.
    """

    def __init__(self, message: str, *, is_sent: bool) -> None:
        super().__init__(message)
        self.is_sent = is_sent


class RoomRefused(CutoverError):
    """A control room elsewhere says no, and nothing was done.

    Attributes:
        status: of HTTP.
        code: of the problem; "" where it gave none.
        told: the whole problem.
        problems: of a routing file, a line each.
    """

    def __init__(self, message: str, *, status: int, code: str, told: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.told = told
        found = told.get("errors", ()) if code == "routing_file_invalid" else ()
        self.problems = tuple(str(one["detail"]) for one in found)


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


class NoSuchRevision(CutoverError):
    """The ledger has no revision of that number."""


class IllegalStep(CutoverError):
    """What was asked for is no rollback."""


class CannotUndo(CutoverError):
    """A revision cannot be taken back, and the message says what can be done instead."""


class PlanFileError(CutoverError):
    """A plan file is not what was written, or not for this Banyan; make the plan anew."""


class StalePlan(CutoverError):
    """What is in force is not what a plan file was made from; make the plan anew."""


class Refused(CutoverError):
    """The proxy's side door says no, and why."""


class PeopleError(CutoverError):
    """A person or a token cannot be what was asked for; nothing was written."""


class IssuerAway(CutoverError):
    """The OpenID issuer does not answer, or not as one; safe to try again."""


class NotVouched(CutoverError):
    """An OpenID issuer's word does not hold, or gives nothing here."""
