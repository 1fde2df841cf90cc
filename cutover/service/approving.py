"""Say yes to a step, and find out who did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cutover.core.approval import Approval
from cutover.core.plan import Plan
from cutover.core.revision import (
    DamagedRevision,
    Entry,
    Evidence,
    Revision,
    RevisionKind,
)
from cutover.core.stages import Direction, Position, direction, position
from cutover.errors import CannotRead, Conflict, IllegalStep, NothingInForce
from cutover.ports import Ledger
from cutover.service.books import Books
from cutover.service.in_force import domain_of, look
from cutover.service.revisions import read_back
from cutover.service.tables import parsed
from proxy.errors import RoutingFileError
from proxy.routing import Domain, RoutingTable, Stage

GATE = "approval"
_GIVEN, _WITHDRAWN = "given", "withdrawn"
_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Wish:
    """Whose yes to what.

    Attributes:
        to: the stage that may come.
        withdrawn: they take back what they said.
    """

    domain: str
    to: Stage
    actor: str
    reason: str
    withdrawn: bool = False


def approve(books: Books, wish: Wish) -> Revision:
    """Write a yes down, or that it is taken back. The table stays as it is.

    Raises:
        NothingInForce, UnknownDomain: there is nothing to say yes to.
        IllegalStep: the domain cannot take that step from where it stands.
        Conflict: an apply or a rollback is at work.
        CannotRead, CannotWrite: the files are out of reach.
    """
    with books.turn.take(wait_s=_WAIT_S) as is_ours:
        if not is_ours:
            raise Conflict("another apply or rollback is at work; try again when it is done")
        seen = look(books.applied, books.ledger)
        if seen.table is None or seen.text is None:
            raise NothingInForce("nothing is in force yet: banyan apply first")
        at = position(domain_of(seen.table, wish.domain))
        if direction(at, Position(wish.to)) is not Direction.FORWARD or wish.to is at.stage:
            raise IllegalStep(f"{wish.domain} is in stage {at}; {wish.to} is not its next stage")
        verdict = _WITHDRAWN if wish.withdrawn else _GIVEN
        says = "takes the yes back to" if wish.withdrawn else "approves of"
        sentence = f"{wish.actor} {says} {at.stage} -> {wish.to}"
        entry = Entry(
            at=books.now(),
            actor=wish.actor,
            kind=RevisionKind.APPROVAL,
            reason=wish.reason,
            changes=(f"{wish.domain}: {sentence}",),
            evidence=(Evidence(wish.domain, verdict, (sentence, str(wish.to)), gate=GATE),),
            routing_yaml=seen.text.decode("utf-8"),
            found=seen.found,
        )
        return books.ledger.append(entry)


def approvals_given(
    ledger: Ledger, plan: Plan, in_force: RoutingTable | None
) -> Mapping[str, Sequence[Approval]]:
    """What people said of the steps of a plan, where a gate asks for it."""
    if in_force is None:
        return {}
    asked = [
        domain
        for domain in in_force.domains
        for change in plan.changes
        if change.domain == domain.name and change.direction is Direction.FORWARD
    ]
    if not asked:
        return {}
    try:
        return _since_last_steps(ledger, [domain.name for domain in asked])
    except CannotRead:
        return {}  # nobody's yes can be shown, so the gate fails and says what is missing


def _since_last_steps(ledger: Ledger, domains: Sequence[str]) -> Mapping[str, Sequence[Approval]]:
    """See `given`; the ledger is read back only to the oldest of the domains' last steps."""
    said: dict[str, list[Revision]] = {name: [] for name in domains}
    open_yet = set(domains)
    for one in _newest_first(ledger):
        for name in [name for name in open_yet if touches(one, name)]:
            said[name].append(one)
            if one.entry.kind is not RevisionKind.APPROVAL:
                open_yet.discard(name)
        if not open_yet:
            break
    return {name: given(revisions, name) for name, revisions in said.items()}


def given(revisions: Sequence[Revision], domain: str) -> tuple[Approval, ...]:
    """What was said of a domain's steps since its last one, oldest first.

    Args:
        revisions: newest first.
        domain: its name.
    """
    found: list[Approval] = []
    for one in revisions:
        if not touches(one, domain):
            continue
        if one.entry.kind is not RevisionKind.APPROVAL:
            break
        about = domain_in(one, domain)
        for said in one.entry.evidence:
            if said.gate == GATE and said.domain == domain and about is not None:
                is_withdrawn = said.verdict == _WITHDRAWN
                to = Stage(said.sentences[-1])
                found.append(Approval(one.entry.actor, one.entry.at, about, to, is_withdrawn))
    return tuple(reversed(found))


def touches(revision: Revision, domain: str) -> bool:
    """Whether a revision says anything of a domain."""
    return any(line.startswith(f"{domain}: ") for line in revision.entry.changes)


def domain_in(revision: Revision, domain: str) -> Domain | None:
    """A domain as a revision has it; None where the table lacks it or does not load."""
    try:
        return parsed(revision.entry.routing_yaml.encode(), "").domain(domain)
    except (RoutingFileError, KeyError):
        return None


def _newest_first(ledger: Ledger) -> Iterator[Revision]:
    for _, content in ledger.backwards():
        try:
            yield read_back(content)
        except DamagedRevision:
            return  # what a damaged entry hides may have been a step: nothing before it counts
