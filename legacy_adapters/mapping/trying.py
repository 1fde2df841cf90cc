"""What becomes of an aggregate that could not be taken across."""

from __future__ import annotations

from dataclasses import dataclass

from legacy_adapters.mapping.landing import Dirty

_WAITS_S = (0.05, 0.2, 0.8, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One that could not be taken.

    Attributes:
        can_wait: something else may help, e.g. what it points at may come; otherwise only a
            change of its own does.
    """

    dirty: Dirty
    reason: str
    can_wait: bool


def next_try(trouble: Trouble) -> float | None:
    """Seconds until it is tried again; None: it is parked."""
    tries = trouble.dirty.tries
    return _WAITS_S[tries] if trouble.can_wait and tries < len(_WAITS_S) else None
