"""Taking a revision back: what it touched, and what touched the same since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cutover.core.differences import is_same, table_details
from cutover.core.plan import make_plan
from cutover.core.revision import Revision
from proxy.routing import RoutingTable

_BY_FLIP = ", by a flip"
_MARK = "undo of revision"


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the table in force.

    Attributes:
        n: the revision that made it; None for a hand that edited the applied file.
        before: the table that it replaced.
        after: the table that came into force.
    """

    n: int | None
    before: RoutingTable
    after: RoutingTable

    @property
    def domains(self) -> frozenset[str]:
        """The domains in which anything differs; new and removed ones too."""
        old = {domain.name: domain for domain in self.before.domains}
        new = {domain.name: domain for domain in self.after.domains}
        kept = {name for name in old.keys() & new.keys() if is_same(old[name], new[name])}
        return frozenset((old.keys() | new.keys()) - kept)

    @property
    def is_empty(self) -> bool:
        """True when nothing differs that decides, compares or guards."""
        return not self.domains and not table_details(self.before, self.after)


def obstacle(undone: Step, later: Sequence[Step]) -> str | None:
    """Why a revision cannot be taken back alone; None when nothing stands against it.

    What came later stays as it is, so it may not have touched what the revision touched:
    whoever did that saw the revision's table, and built on it.
    """
    since = [step for step in later if not step.is_empty]
    if not since:
        return None
    beyond = table_details(undone.before, undone.after)
    if beyond:
        return f"it changed more than domains ({beyond[0]}), and {_named(since)} came after it"
    both = [step for step in since if step.domains & undone.domains]
    if not both:
        return None
    names = sorted(undone.domains & frozenset().union(*(step.domains for step in both)))
    return f"{_named(both)} changed {', '.join(names)} after it"


def seems_made_from(revision: Revision, after: RoutingTable, before: RoutingTable) -> bool:
    """Whether a revision's sentences tell just the way between two tables."""
    told = tuple(change.removesuffix(_BY_FLIP) for change in revision.entry.changes)
    return make_plan(after, before, {}, init=True).sentences() == told


def undo_reason(first: int, last: int, reason: str) -> str:
    """What the ledger keeps as the reason of an undo."""
    what = f"{_MARK} {first}" if first == last else f"{_MARK}s {first} to {last}"
    return f"{what}: {reason}"


def is_undo(reason: str) -> bool:
    """Whether a reason is that of an undo."""
    return reason.startswith(_MARK)


def _named(steps: Sequence[Step]) -> str:
    numbers = [str(step.n) for step in steps if step.n is not None]
    words = []
    if numbers:
        *most, final = numbers
        words.append(f"revisions {', '.join(most)} and {final}" if most else f"revision {final}")
    if any(step.n is None for step in steps):
        words.append("a hand's edit of the applied file")
    return " and ".join(words)
