"""Delivery figures as a report prints them: a value, what it is made of, and what it means."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.api.figures import count, counted, lasting, small_share
from cutover.core.delivery import WEEK_S, Delivered, Delivery, Spread

NO_CHANGES = "no changes in this time"
NO_STEP = "no forward step in this time"
NOTHING_BACK = "nothing was taken back in this time"
LIMITS = (
    (
        "Lead time from commit to shoppers: when a change was written, reviewed and merged is not"
        " in the ledger. Time in stage is printed instead, and is something else."
    ),
    "Faults that were mended by going forward, and kills: neither is written in the ledger.",
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        value: "no changes in this time" and its like where there is nothing to count.
        known: False for those.
        made_of: the counts behind it; "" where the value says all.
        meaning: its definition, a sentence or two.
    """

    name: str
    value: str
    known: bool
    made_of: str
    meaning: str


@dataclass(frozen=True, slots=True)
class DomainFigures:
    """One domain's line; "-" where there is nothing to count."""

    domain: str
    applies: str
    steps: str
    failed: str
    restore: str
    in_stage: str


def figures(found: Delivery) -> tuple[Figure, ...]:
    """The four figures of all domains together."""
    total = found.total
    nothing = NO_STEP if total.applies or found.rollbacks else NO_CHANGES
    return (
        _frequency(found),
        _failures(total, nothing),
        _spread(
            "Time to restore", total.restore, NOTHING_BACK,
            "time",
            "From a forward step until it was taken back, of what was taken back in this time;"
            " noticing the fault is in it.",
        ),
        _spread(
            "Time in stage", total.in_stage, nothing, "step",
            "How long a domain had stood at a stage and share when it took the next forward step."
            " It stands where lead time would, which a ledger cannot know.",
        ),
    )  # fmt: skip


def _frequency(found: Delivery) -> Figure:
    applies, weekly = found.total.applies, found.applies_per_week
    meaning = (
        "Revisions by apply, which change stages, shares, routes, gates or stores, by the time"
        " that the ledger covers. Rollbacks are not among them."
    )
    name, covered = "Deployment frequency", lasting(found.covered_s)
    if not applies:
        return Figure(name, NO_CHANGES, False, "", meaning)
    told = f"{counted(applies, 'change')} in {covered}"
    if weekly is None or found.covered_s < WEEK_S * 1.01:
        return Figure(name, told, True, "", meaning)
    return Figure(name, f"{weekly:.1f} a week", True, told, meaning)


def _failures(total: Delivered, nothing: str) -> Figure:
    ppm = total.failure_ppm
    meaning = (
        "The share of this time's forward steps (to a later stage or a larger share) that were"
        " taken back, by rollback or by a backward apply, before the domain's next forward step."
    )
    name = "Change failure rate"
    if ppm is None:
        return Figure(name, nothing, False, "", meaning)
    made_of = f"{count(total.failed)} of {counted(total.steps, 'forward step')} taken back"
    return Figure(name, small_share(ppm), True, made_of, meaning)


def _spread(name: str, spread: Spread | None, nothing: str, noun: str, meaning: str) -> Figure:
    if spread is None:
        return Figure(name, nothing, False, "", meaning)
    many = counted(spread.count, noun)
    if spread.count == 1:
        return Figure(name, lasting(spread.median_s), True, many, meaning)
    made_of = f"longest {lasting(spread.longest_s)}, {many}"
    return Figure(name, f"median {lasting(spread.median_s)}", True, made_of, meaning)


def by_domain(found: Delivery) -> tuple[DomainFigures, ...]:
    """A line for each domain that changed, by name."""
    return tuple(
        DomainFigures(
            name,
            count(one.applies),
            count(one.steps),
            count(one.failed) if one.steps else "-",
            _range(one.restore),
            _range(one.in_stage),
        )
        for name, one in found.domains
    )


def _range(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    if spread.count == 1:
        return lasting(spread.median_s)
    return f"{lasting(spread.median_s)}, at most {lasting(spread.longest_s)}"
