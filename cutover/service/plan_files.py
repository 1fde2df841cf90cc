"""Make a plan that can be kept, and apply just that one or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cutover.core.flip_owners import Owners
from cutover.core.plan_file import MadeFrom, PlanFile, judgements_of, refusals_of
from cutover.core.revision import DamagedRevision, Revision, RevisionKind, from_json, sha256
from cutover.errors import CannotRead, Conflict, PlanFileError, StalePlan
from cutover.service.applying import Prepared, commit, prepare
from cutover.service.books import Books
from cutover.service.doubts import OpenProof
from cutover.service.gathering import OpenEvidence
from cutover.service.in_force import InForce, look


def keep(books: Books, prepared: Prepared, *, file: str, actor: str, init: bool) -> PlanFile:
    """A plan as its file holds it, refused or not."""
    plan = prepared.plan
    return PlanFile(
        made_at=books.now(),
        made_by=actor,
        file=file,
        init=init,
        made_from=_made_from(prepared.in_force, _last(books)),
        lines=plan.sentences(),
        refusals=refusals_of(plan),
        judgements=judgements_of(plan),
        notes=prepared.notes,
        routing_yaml=prepared.desired.decode("utf-8"),
    )


async def prepare_again(
    books: Books,
    planned: PlanFile,
    open_evidence: OpenEvidence,
    *,
    open_proof: OpenProof | None = None,
    owners: Owners | None = None,
    actor: str = "",
) -> Prepared:
    """The plan of a file as it stands now: its gates are judged anew, evidence moves.

    Raises:
        StalePlan: what is in force is not what the plan was made from.
        PlanFileError: this Banyan would do something else than the file says.
        CannotRead: what is in force cannot be read.
    """
    prepared = await prepare(
        books,
        planned.routing_yaml.encode(),
        planned.file,
        open_evidence,
        open_proof=open_proof,
        owners=owners,
        actor=actor,
        init=planned.init,
    )
    _refuse_if_stale(books, planned, prepared.in_force)
    if prepared.plan.sentences() != planned.lines:
        raise PlanFileError(
            "this Banyan is another than the one that made the plan, and would do something"
            " else; make the plan anew with it"
        )
    return prepared


def commit_planned(
    books: Books, planned: PlanFile, prepared: Prepared, *, actor: str, reason: str
) -> Revision:
    """Put a plan file in force and write it down; the reason names the file.

    Raises:
        StalePlan: somebody else was faster.
        Conflict, CannotWrite: as `commit` does.
    """
    by = f"plan {planned.name} of {planned.made_by}, {planned.made_at:%Y-%m-%d %H:%M} UTC"
    told = f"{reason} ({by})" if reason else by
    try:
        return commit(books, prepared, actor=actor, reason=told)
    except Conflict:
        _refuse_if_stale(books, planned, look(books.applied, books.ledger))
        raise


def stands_on(books: Books) -> MadeFrom:
    """What a plan made now would be made from. Raises CannotRead."""
    return _made_from(look(books.applied, books.ledger), _last(books))


def _last(books: Books) -> Revision | None:
    """The newest revision that can be read and is more than an approval."""
    for _, content in _revisions(books):
        with contextlib.suppress(DamagedRevision):
            revision = from_json(content)
            if revision.entry.kind is not RevisionKind.APPROVAL:
                return revision
    return None


def _revisions(books: Books) -> Iterator[tuple[int, bytes]]:
    try:
        yield from books.ledger.backwards()
    except CannotRead:
        return  # said among the notes of what is in force


def _made_from(seen: InForce, last: Revision | None) -> MadeFrom:
    return MadeFrom(
        revision=None if last is None else last.n,
        revision_hash=None if last is None else last.hash,
        table_sha256=None if seen.on_disk is None else sha256(seen.on_disk),
    )


def _refuse_if_stale(books: Books, planned: PlanFile, seen: InForce) -> None:
    last = _last(books)
    then, now = planned.made_from, _made_from(seen, last)
    if now == then:
        return
    made = "before anything was in force"
    if then.revision is not None:
        made = f"from revision {then.revision}"
    elif then.table_sha256 is not None:
        made = f"from table {then.table_sha256[:12]}"
    since = "what is in force was changed outside Banyan since"
    if last is not None and last.hash != then.revision_hash:
        entry = last.entry
        since = (
            f"revision {last.n} came since, {entry.kind} by {entry.actor} on"
            f" {entry.at:%Y-%m-%d %H:%M} UTC ({'; '.join(entry.changes) or 'no change told'})"
        )
    raise StalePlan(
        f"the plan is stale: it was made {made}, and {since}; nothing changed. Make it anew:"
        f" banyan plan --config {planned.file} --out FILE"
    )
