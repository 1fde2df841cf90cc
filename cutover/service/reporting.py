"""Tell the state of things: per domain where it stands, what is asked, what comes next."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cutover.core.gate import Findings, Judgement, judge
from cutover.core.revision import Revision
from cutover.core.stages import Position, next_steps, position
from cutover.errors import DoorClosed
from cutover.ports import DoorState, ProxyDoor
from cutover.service.books import Books
from cutover.service.explaining import drift
from cutover.service.gathering import OpenEvidence, gather
from cutover.service.in_force import look
from proxy.routing import Domain, RoutingTable, Stage
from shadow_compare.core.evidence import Parity


@dataclass(frozen=True, slots=True)
class DomainStatus:
    """One domain.

    Attributes:
        at: where it stands; None when the file has it and nothing in force does.
        asked: where the file wants it; None when the file does not have it.
        parity: None when the evidence cannot be read.
        judgement: what its gate says of the next step; None where none is asked.
        next_step: what may come next and what it waits for.
        drift: who took it away from what the file asks for, when and why; None where the
            file was edited since, or asks for what is in force.
    """

    domain: str
    owner: str
    at: Position | None
    asked: Position | None
    parity: Parity | None
    judgement: Judgement | None
    next_step: str
    drift: str | None = None

    @property
    def has_drift(self) -> bool:
        """True when the file asks for something else than what is in force."""
        return self.at != self.asked


@dataclass(frozen=True, slots=True)
class Status:
    """The whole picture.

    Attributes:
        revision: of the table in force, None when there is none.
        desired: of the file, None when there is no file or it does not load.
        door: what the proxy says, None when it does not answer.
        door_problem: why it does not answer.
        last: the newest revision.
        notes: what an engineer should know.
    """

    revision: str | None
    desired: str | None
    domains: tuple[DomainStatus, ...]
    door: DoorState | None
    door_problem: str
    last: Revision | None
    notes: tuple[str, ...]


async def report(
    books: Books,
    desired: RoutingTable | None,
    open_evidence: OpenEvidence,
    door: ProxyDoor,
    *,
    file: str = "routing.yaml",
) -> Status:
    """Gather it. Any source may be away, and the report says so.

    `file` is what sentences call the desired state.

    Raises:
        CannotRead: the applied file exists and cannot be read.
    """
    seen = look(books.applied, books.ledger)
    old = {} if seen.table is None else {domain.name: domain for domain in seen.table.domains}
    new = {} if desired is None else {domain.name: domain for domain in desired.domains}
    judged = [domain for domain in old.values() if domain.stage is not Stage.LEGACY]
    findings = await gather(open_evidence, judged)
    why = drift(books.ledger, desired, seen.table, file)
    domains = [
        replace(_domain(old.get(name), new.get(name), findings.get(name)), drift=why.get(name))
        for name in sorted(old.keys() | new.keys())
    ]
    state, problem = None, ""
    try:
        state = door.state()
    except DoorClosed as exc:
        problem = str(exc)
    return Status(
        revision=None if seen.table is None else seen.table.revision,
        desired=None if desired is None else desired.revision,
        domains=tuple(domains),
        door=state,
        door_problem=problem,
        last=seen.last,
        notes=seen.notes,
    )


def _domain(old: Domain | None, new: Domain | None, findings: Findings | None) -> DomainStatus:
    domain = old or new
    assert domain is not None  # noqa: S101 - one of the two tables names the domain
    parity, judgement = None, None
    if old is not None and findings is not None:
        parity = None if findings.evidence is None else findings.evidence.overall
        if old.parity_gate is not None:
            judgement = judge((old.parity_gate,), old, findings)
    return DomainStatus(
        domain=domain.name,
        owner=domain.owner,
        at=None if old is None else position(old),
        asked=None if new is None else position(new),
        parity=parity,
        judgement=judgement if old is not None and old.stage is not Stage.RETIRED else None,
        next_step=_next(old, judgement),
    )


def _next(old: Domain | None, judgement: Judgement | None) -> str:
    if old is None:
        return "apply the file"
    step = next_steps(position(old))
    if old.stage in (Stage.LEGACY, Stage.RETIRED):
        return step
    if old.parity_gate is None:
        return step if old.ungated else f"{step}, once gates are set"
    if judgement is not None and judgement.verdict != "pass":
        return f"{step}, once the gate passes: {judgement.sentences[0]}"
    return f"{step}: may go ahead"
