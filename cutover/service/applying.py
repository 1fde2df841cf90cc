"""Plan a file, and put it in force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cutover.core.coverage_gate import judge_coverage
from cutover.core.flip_owners import Owners, with_owners
from cutover.core.gate import Judgement, judge_parity, percent
from cutover.core.load_gate import Loads
from cutover.core.plan import (
    GateAnswer,
    Plan,
    gates_asked,
    make_plan,
    measured_steps,
    steps_to_judge,
)
from cutover.core.ramps import ramps_kept
from cutover.core.revision import Entry, Evidence, Revision, RevisionKind
from cutover.core.step_gates import Asker, forward_pairs, with_gates
from cutover.errors import CannotRead, CannotWrite, Conflict, CutoverError, RelativeFiles
from cutover.service.approving import approvals_given
from cutover.service.asking_outside import ask_outside
from cutover.service.books import Books
from cutover.service.doubts import OpenProof, doubts
from cutover.service.explaining import drift
from cutover.service.gathering import OpenEvidence, gather
from cutover.service.in_force import InForce, look
from cutover.service.tables import parsed
from proxy.routing import RoutingTable

_WAIT_S = 10.0

#: Rewrites a table's text so that a domain in canary has another share, in basis points.
Reshare = Callable[[bytes, str, int], bytes]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with what it was made from, so that exactly this is applied or nothing.

    Attributes:
        desired: what comes into force: the file, with the shares that ramps have reached.
        doubts: rules of the plan's domains that nothing bears out, and what else is to be
            known, a sentence each.
        drift: which domains a rollback, an undo or a flip took away from what the file asks
            for, a sentence each.
        undoes: the first and the last revision that it takes back; None for another plan.
        name: what messages call the table that is asked for.
    """

    plan: Plan
    desired: bytes
    in_force: InForce
    doubts: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    undoes: tuple[int, int] | None = None
    name: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know, and nothing is refused for."""
        return (*self.in_force.notes, *self.drift, *self.doubts)


async def prepare(  # noqa: PLR0913 - what is asked for, and what each question is asked of
    books: Books,
    desired: bytes,
    file: str,
    open_evidence: OpenEvidence,
    *,
    open_proof: OpenProof | None = None,
    owners: Owners | None = None,
    actor: str = "",
    reshare: Reshare | None = None,
    init: bool = False,
) -> Prepared:
    """Work out what applying a file would do. Changes nothing.

    The evidence is asked only about domains whose step a gate guards, so that all other
    changes can be applied while it is away. `open_proof` is for doubts about rules.
    `owners` says who owns the data behind routes; stages that contradict it are refused.
    `actor` is who would apply it: their own yes does not count.
    With `reshare`, which writes a share into a table, a domain that stands higher on its
    ramp than the file says stays there: the file's share is where the ramp began.

    Raises:
        RoutingFileError: the file has problems.
        RelativeFiles: it names files that would be others once it is in force.
        CannotRead: what is in force cannot be read.
    """
    table = parsed(desired, file)
    _refuse_relative_files(table, Path(file), Path(books.applied.name))
    in_force = look(books.applied, books.ledger)
    kept: dict[str, str] = {}
    if reshare is not None:
        for name, share_bp in ramps_kept(table, in_force.table).items():
            desired = reshare(desired, name, share_bp)
            kept[name] = (
                f"{name} stands at {percent(share_bp * 100)} on its ramp and stays there; the"
                f" share in {file} is where it began"
            )
        table = parsed(desired, file) if kept else table
    steps = steps_to_judge(table, in_force.table)
    measured = measured_steps(table, in_force.table)
    asked = {domain.name: domain for domain in (*steps, *measured)}
    names = [domain.name for domain in measured]
    findings = await gather(open_evidence, tuple(asked.values()), names)
    judgements: dict[str, Judgement] = {}
    coverage: dict[str, GateAnswer] = {}
    for domain in steps:
        before = None if in_force.table is None else in_force.table.domain(domain.name)
        gates = gates_asked(before, domain)
        judgements[domain.name] = judge_parity(gates, domain, findings[domain.name])
        if covered := judge_coverage(gates, domain, findings[domain.name]):
            coverage[domain.name] = covered
    plan = make_plan(table, in_force.table, judgements, init=init)
    plan = with_owners(plan, table, owners or {})
    asker = Asker(
        books.now(),
        actor,
        approvals_given(books.ledger, plan, in_force.table),
        coverage,
        await ask_outside(books, plan, in_force.table, table, actor),
        {name: findings[name].latencies for name in names},
        {name: findings[name].answered for name in names},
        _loads(books, plan, in_force.table, table),
    )
    plan = with_gates(plan, in_force.table, table, asker)
    doubted: tuple[str, ...] = ()
    if open_proof is not None:
        doubted = await doubts(open_proof, plan, table, books.now().timestamp())
    why = drift(books.ledger, table, in_force.table, file)
    said = (*kept.values(), *doubted)
    return Prepared(plan, desired, in_force, said, tuple(why.values()), name=file)


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


def _loads(
    books: Books, plan: Plan, in_force: RoutingTable | None, desired: RoutingTable
) -> dict[str, Loads]:
    """The load tests that a plan's steps are judged by. What cannot be read is a finding too."""
    found: dict[str, Loads] = {}
    for name, pair in forward_pairs(plan, in_force, desired).items():
        if in_force is None or books.loads is None or not pair.both(lambda one: one.load_gate):
            continue
        try:
            loads = books.loads(name)
        except CannotRead as exc:
            loads = Loads(problems=(str(exc),))
        found[name] = replace(loads, stores=in_force.stores)
    return found


def _evidence(plan: Plan) -> list[Evidence]:
    """What every gate said, parity first."""
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
    ] + [
        Evidence(change.domain, str(one.verdict), one.sentences, gate=one.gate, inputs=one.inputs)
        for change in plan.changes
        for one in change.answers
    ]
