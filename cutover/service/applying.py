"""Plan a file, and put it in force."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cutover.core.gate import Judgement, judge
from cutover.core.plan import Plan, gates_asked, make_plan, steps_to_judge
from cutover.core.revision import Entry, Evidence, Revision, RevisionKind
from cutover.errors import CannotWrite, Conflict, CutoverError, RelativeFiles
from cutover.service.books import Books
from cutover.service.doubts import OpenProof, doubts
from cutover.service.gathering import OpenEvidence, gather
from cutover.service.in_force import InForce, look
from proxy.routing import RoutingTable
from proxy.storage.tables import parse_routing

_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with what it was made from, so that exactly this is applied or nothing.

    Attributes:
        doubts: rules of the plan's domains that nothing bears out, a sentence each.
    """

    plan: Plan
    desired: bytes
    in_force: InForce
    doubts: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know, and nothing is refused for."""
        return (*self.in_force.notes, *self.doubts)


async def prepare(
    books: Books,
    desired: bytes,
    file: str,
    open_evidence: OpenEvidence,
    *,
    open_proof: OpenProof | None = None,
    init: bool = False,
) -> Prepared:
    """Work out what applying a file would do. Changes nothing.

    The evidence is asked only about domains whose step a gate guards, so that all other
    changes can be applied while it is away. `open_proof` is for doubts about rules.

    Raises:
        RoutingFileError: the file has problems.
        RelativeFiles: it names files that would be others once it is in force.
        CannotRead: what is in force cannot be read.
    """
    table = parse_routing(desired, file)
    _refuse_relative_files(table, Path(file), Path(books.applied.name))
    in_force = look(books.applied, books.ledger)
    steps = steps_to_judge(table, in_force.table)
    findings = await gather(open_evidence, steps)
    judgements: dict[str, Judgement] = {}
    for domain in steps:
        before = None if in_force.table is None else in_force.table.domain(domain.name)
        gates = gates_asked(before, domain)
        judgements[domain.name] = judge(gates, domain, findings[domain.name])
    plan = make_plan(table, in_force.table, judgements, init=init)
    doubted: tuple[str, ...] = ()
    if open_proof is not None:
        doubted = await doubts(open_proof, plan, table, books.now().timestamp())
    return Prepared(plan, desired, in_force, doubted)


def commit(books: Books, prepared: Prepared, *, actor: str, reason: str) -> Revision:
    """Put a plan in force and write it down.

    1. The table is written beside the applied file: a full disk ends here, nothing
    changed. 2. The revision is written. 3. The table is swapped in. A crash between 2 and
    3 leaves a revision that never came into force; `look` tells it from a hand's edit.

    Raises:
        Conflict: what is in force is not what the plan was made from.
        CannotWrite: nothing came into force, and no revision says otherwise.
    """
    plan = prepared.plan
    if plan.refused:
        raise CutoverError("a refused plan cannot be applied")
    entry = Entry(
        at=books.now(),
        actor=actor,
        kind=RevisionKind.INIT if plan.in_force is None else RevisionKind.APPLY,
        reason=reason,
        changes=plan.sentences(),
        evidence=tuple(_evidence(plan)),
        routing_yaml=prepared.desired.decode("utf-8"),
        found=prepared.in_force.found,
    )
    with books.turn.take(wait_s=_WAIT_S) as is_ours:
        if not is_ours:
            raise Conflict("another apply or rollback is at work; try again when it is done")
        _refuse_if_moved(books, prepared.in_force)
        with books.applied.draft(prepared.desired) as draft:
            revision = books.ledger.append(entry)
            try:
                draft.put_in_force(instead_of=prepared.in_force.on_disk)
            except (CannotWrite, Conflict):
                books.ledger.withdraw(revision)
                raise
    return revision


def _refuse_relative_files(table: RoutingTable, file: Path, applied: Path) -> None:
    """Whoever reads the table in force takes relative names from its folder, not the file's.

    Names are not rewritten: what is in force is byte for byte what the plan was made from.
    """
    found = [
        f'{file}: stores.{side}.tls.{key}: "{name}" is relative, and in force it would be looked'
        f" for in {applied.parent}; write {file.absolute().parent / name}"
        for side, store in table.stores.items()
        for key, name in store.tls.files
        if not Path(name).is_absolute()
    ]
    if found:
        raise RelativeFiles("; ".join(found))


def _refuse_if_moved(books: Books, seen: InForce) -> None:
    now = look(books.applied, books.ledger)
    if now.on_disk != seen.on_disk or now.last != seen.last:
        by = f" by {now.last.entry.actor}" if now.last and now.last != seen.last else ""
        raise Conflict(f"what is in force was changed{by} meanwhile; look at banyan plan again")


def _evidence(plan: Plan) -> list[Evidence]:
    return [
        Evidence(
            domain=change.domain,
            verdict=str(found.verdict),
            sentences=found.sentences,
            compared=found.compared,
            lower_ppm=found.lower_ppm,
            min_ppm=found.min_ppm,
            confidence_bp=found.confidence_bp,
        )
        for change in plan.changes
        if (found := change.judgement) is not None
    ]
