"""Who said yes to a domain's next stage, and who is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cutover.api.readings import History
from cutover.core.approval import approvers
from cutover.core.revision import Revision, RevisionKind
from cutover.service.approving import given
from proxy.routing import Domain, Stage

_NEXT = {Stage.SHADOW: Stage.CANARY, Stage.CANARY: Stage.CORE, Stage.CORE: Stage.RETIRED}


@dataclass(frozen=True, slots=True)
class ApprovalsView:
    """What a page says of a domain's approvals.

    Attributes:
        to: the stage that may come; "" where none asks for a yes.
        said: who said yes, and since when, seconds since the epoch.
        missing: what is missing; "" for nothing.
        problem: why it is not known; "" when it is.
    """

    to: str = ""
    asked: int = 0
    said: tuple[tuple[str, float], ...] = ()
    missing: str = ""
    problem: str = ""


def next_stage(domain: Domain) -> Stage | None:
    """The stage that people may say yes to; None where none asks."""
    return None if domain.approvals is None else _NEXT.get(domain.stage)


def waits_for(domain: Domain, view: ApprovalsView | None) -> str:
    """What the next stage waits for of people's yes, as a clause; "" for nothing.

    `view` is None where the ledger was not asked, as for the first page.
    """
    rule = domain.approvals
    if rule is None or next_stage(domain) is None:
        return ""
    if view is None or view.problem:
        people = "1 person has" if rule.count == 1 else f"{rule.count} people have"
        return f"may go ahead once {people} said yes"
    return view.missing.removesuffix(".")


def to_read(domain: str, history: History) -> tuple[int, ...]:
    """The entries that may hold a yes that counts, newest first: those since the last step."""
    found: list[int] = []
    expected = history.head[0] if history.head else 0
    for one in reversed(history.told):
        if one.n != expected:
            break  # what a damaged entry hides may have been a step: nothing before it counts
        expected = one.n - 1
        if not any(line.startswith(f"{domain}: ") for line in one.changes):
            continue
        if one.kind is not RevisionKind.APPROVAL:
            break
        found.append(one.n)
    return tuple(found)


def approvals_view(domain: Domain, revisions: Sequence[Revision], now_s: float) -> ApprovalsView:
    """Decide what a page says. `revisions` are those of `to_read`, newest first."""
    to, rule = next_stage(domain), domain.approvals
    if to is None or rule is None:
        return ApprovalsView()
    at = datetime.fromtimestamp(now_s, UTC)
    by = approvers(given(revisions, domain.name), domain, to, rule, at)
    more = rule.count - len(by)
    people = "person" if more == 1 else "people"
    return ApprovalsView(
        to=to.value,
        asked=rule.count,
        said=tuple((name, since.timestamp()) for name, since in by.items()),
        missing=f"{more} more {people} must say yes." if more > 0 else "",
    )
