"""What the demo promises, judged from what was recorded. Pure.

A shopper's side may change only because a step was applied. The proof: each change lies
between the last answer from the old side and the first from the new one; an applied step
must fall into that span.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """An apply or rollback of a domain. Times in seconds since the epoch."""

    domain: str
    what: str
    began_at_s: float
    in_force_at_s: float


@dataclass(frozen=True, slots=True)
class SideChange:
    """A shopper saw another side of a domain than before.

    Attributes:
        last_old_at_s: when the last answer from the old side was asked for.
        first_new_at_s: when the first answer from the new side arrived.
    """

    shopper: str
    domain: str
    old: str
    new: str
    last_old_at_s: float
    first_new_at_s: float


def unexplained(changes: Sequence[SideChange], steps: Sequence[Step]) -> tuple[SideChange, ...]:
    """Changes that no applied step of their domain can have caused."""
    return tuple(change for change in changes if not any(_may_cause(s, change) for s in steps))


def _may_cause(step: Step, change: SideChange) -> bool:
    return (
        step.domain == change.domain
        and step.began_at_s <= change.first_new_at_s
        and change.last_old_at_s <= step.in_force_at_s
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """The demo's closing figures.

    Attributes:
        rollback_s: from the start of the command until every proxy worker had it.
        parity_lower_ppm: lower bound on the catalogue's parity at the end.
        balance_gap: mirrored minus all that is accounted for; 0 or the books are wrong.
    """

    requests: int
    failures: int
    shoppers: int
    side_changes: int
    side_changes_unexplained: int
    rollback_s: float
    compared: int
    parity_ppm: int
    parity_lower_ppm: int
    confidence_bp: int
    mirrored: int
    lost: int
    balance_gap: int
    restarts: int
    story_s: float

    def broken(self) -> tuple[str, ...]:
        """The promises that were not kept, one sentence each."""
        checks = (
            (self.requests > 0, "no shopper's request was recorded"),
            (self.failures == 0, f"{self.failures} requests failed"),
            (
                self.side_changes_unexplained == 0,
                f"{self.side_changes_unexplained} side changes had no applied step",
            ),
            (self.side_changes > 0, "no shopper ever changed side, so nothing was moved"),
            (self.rollback_s < 1, f"the rollback took {self.rollback_s:.2f} s"),
            (self.compared > 0, "nothing was compared"),
            (self.balance_gap == 0, f"{self.balance_gap} mirrored exchanges are unaccounted for"),
            (self.restarts == 0, f"{self.restarts} processes had to be restarted"),
        )
        return tuple(sentence for kept, sentence in checks if not kept)
