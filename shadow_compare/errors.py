"""Errors that this package raises on purpose."""

from __future__ import annotations


class CompareError(Exception):
    """Root of this package's errors."""


class EvidenceUnavailable(CompareError):
    """The evidence store did not answer; nothing is lost, try again."""


class BusUnavailable(CompareError):
    """The bus did not answer, or had no room; nothing is lost, try again."""


class BusRefused(CompareError):
    """The bus will not do what is asked until somebody changes its settings or ours."""


class UnreadableError(CompareError):
    """An answer cannot be read in a way that comparing could rely on."""


class AskError(CompareError):
    """The other side gave no answer that could be compared.

    Attributes:
        loss: what the exchange is booked under, e.g. "shadow_timeout".
    """

    def __init__(self, loss: str, problem: str) -> None:
        super().__init__(problem)
        self.loss = loss


class NoSuchGroup(CompareError):
    """No mismatch group, or more than one, is called so."""


class WishRefused(CompareError):
    """What a person wants of a group cannot be done; the message says what can."""


class SidesUnavailable(CompareError):
    """A store whose rows are reconciled did not answer; nothing is lost, try again."""


class PassBusy(CompareError):
    """Another process reconciles the domain."""


class NoCleanPass(CompareError):
    """Nothing is known to be equal yet, so that nothing can be compared since then."""


class NoSuchDrift(CompareError):
    """No difference, or more than one, is called so."""


class RepairRefused(CompareError):
    """A repair needs an approval, or a cause; the message says which."""
