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
        orders: that shoppers were told of; of these the core took orders_on_core.
        orders_lost, orders_doubled, orders_differing: in the two databases, against that.
        freeze_there_ms, freeze_back_ms: how long writes waited in each flip.
        was_held_back: a gate said of the release with a fault that it fails.
        ramp_steps: that were taken without a person's word.
        report: the file that it was written to.
        readiness: of the way back while the core owned the orders, as it was said then.
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
    orders: int
    orders_on_core: int
    orders_lost: int
    orders_doubled: int
    orders_differing: int
    freeze_there_ms: float
    freeze_back_ms: float
    readiness: str
    was_ready: bool
    restarts: int
    report: str
    was_held_back: bool
    ramp_steps: int
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
            (self.orders_on_core > 0, "the core took no order, so no orders were moved"),
            (self.orders > self.orders_on_core, "legacy took no order"),
            (self.orders_lost == 0, f"{self.orders_lost} acknowledged orders were lost"),
            (self.orders_doubled == 0, f"{self.orders_doubled} orders were placed twice"),
            (
                self.orders_differing == 0,
                f"{self.orders_differing} orders differ from what their shoppers were told",
            ),
            (self.was_ready, f"there was no way back: {self.readiness}"),
            (self.was_held_back, "the gate did not fail for the bad release"),
            (self.ramp_steps >= 2, f"the ramp took {self.ramp_steps} steps by itself"),
            (bool(self.report), "no report was written"),
            (self.restarts == 0, f"{self.restarts} processes had to be restarted"),
        )
        return tuple(sentence for kept, sentence in checks if not kept)
