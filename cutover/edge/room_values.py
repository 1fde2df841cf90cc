"""What a room answers, as the values that it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cutover.core.chain import Checked
from cutover.core.gate import Judgement, Verdict
from cutover.core.plan import DomainChange, GateAnswer, Plan
from cutover.core.revision import Entry, Evidence, Flaw, Found, Revision, RevisionKind
from cutover.core.stages import Direction, Position
from cutover.service.acknowledge import Ack, Acknowledged
from cutover.service.ledger_reading import Difference, Page
from cutover.service.rolling_back import RolledBack
from proxy.routing import Stage


@dataclass(frozen=True, slots=True)
class MadeThere:
    """A plan that a room keeps.

    Attributes:
        etag: what was in force when it was made.
        file: what messages call the desired table.
        is_in_force: there is nothing to apply.
        against: what stands against it beside its own refusals, a sentence each.
    """

    id: str
    etag: str
    file: str
    plan: Plan
    notes: tuple[str, ...]
    is_in_force: bool
    against: tuple[str, ...]


def made_of(told: Mapping[str, Any]) -> MadeThere:
    """A plan that a room keeps."""
    return MadeThere(
        id=str(told["id"]),
        etag=str(told["etag"]),
        file=str(told["file"]),
        plan=plan_of(told),
        notes=tuple(told["notes"]),
        is_in_force=bool(told["is_in_force"]),
        against=tuple(told["against"]),
    )


def put_of(told: Mapping[str, Any]) -> tuple[Revision, Acknowledged]:
    """What an application put in force, and what the proxy made of it."""
    return revision_of(told["revision"]), taken_of(told["proxy"])


def rolled_back_of(told: Mapping[str, Any]) -> tuple[RolledBack, Acknowledged]:
    """What a rollback did, and what the proxy made of it."""
    done = RolledBack(
        domain=told["domain"],
        before=standing_of(told["before"]),
        after=standing_of(told["after"]),
        revision=told["table"],
        entry=None if told["revision"] is None else revision_of(told["revision"]),
        is_change=told["is_change"],
        warnings=tuple(told["warnings"]),
    )
    return done, taken_of(told["proxy"])


def plan_of(told: Mapping[str, Any]) -> Plan:
    """A plan, without what only applying it needs."""
    changes = tuple(_change(one) for one in told["changes"])
    return Plan(told["in_force"], told["desired"], changes, tuple(told["details"]))


def position_of(told: Mapping[str, Any] | None) -> Position | None:
    """A stage with its share."""
    return None if told is None else standing_of(told)


def standing_of(told: Mapping[str, Any]) -> Position:
    """The same of a domain that there is."""
    return Position(Stage(told["stage"]), told["core_share_bp"], told.get("writes_stay", False))


def revision_of(told: Mapping[str, Any]) -> Revision:
    """A revision, whole or without its table."""
    found = told.get("found")
    entry = Entry(
        at=datetime.fromisoformat(told["at"]),
        actor=told["actor"],
        kind=RevisionKind(told["kind"]),
        reason=told["reason"],
        changes=tuple(told["changes"]),
        evidence=tuple(_evidence(one) for one in told.get("evidence", ())),
        routing_yaml=told.get("routing_yaml", ""),
        found=None if found is None else Found(**found),
    )
    table = told.get("table_sha256", told["table"])
    return Revision(told["n"], entry, table, told.get("prev_hash", ""), told["hash"])


def taken_of(told: Mapping[str, Any]) -> Acknowledged:
    """What the proxy made of a table."""
    return Acknowledged(Ack(told["ack"]), told["sentence"], told["elapsed_s"])


def page_of(told: Mapping[str, Any]) -> Page:
    """Some revisions."""
    cursor = told["next_cursor"]
    return Page(
        revisions=tuple(revision_of(one) for one in told["revisions"]),
        problems=tuple(told["problems"]),
        before=None if cursor is None else int(cursor),
        is_empty=told["is_empty"],
    )


def difference_of(told: Mapping[str, Any]) -> Difference:
    """What differs between two tables."""
    first, second = told["names"]
    return Difference((first, second), told["is_same_file"], tuple(told["differences"]))


def checked_of(told: Mapping[str, Any]) -> tuple[Checked, tuple[str, ...]]:
    """Whether a ledger is whole, and what is odd besides."""
    flaws = tuple(Flaw(one["problem"], one["way_out"]) for one in told["problems"])
    checked = Checked(told["revisions"], told["head"], told["noted"], flaws)
    return checked, tuple(told["notes"])


def _change(told: Mapping[str, Any]) -> DomainChange:
    return DomainChange(
        domain=told["domain"],
        before=position_of(told["before"]),
        after=position_of(told["after"]),
        direction=Direction(told["direction"]),
        details=tuple(told["details"]),
        refusals=tuple(told["refusals"]),
        judgement=_judgement(told["gate"]),
        answers=tuple(_answer(one) for one in told["gates"]),
        observed=tuple(told["observed"]),
    )


def _judgement(told: Mapping[str, Any] | None) -> Judgement | None:
    if told is None:
        return None
    known = {**told, "verdict": Verdict(told["verdict"]), "sentences": tuple(told["sentences"])}
    return Judgement(**known)


def _answer(told: Mapping[str, Any]) -> GateAnswer:
    sentences: Sequence[str] = told["sentences"]
    return GateAnswer(told["gate"], Verdict(told["verdict"]), tuple(sentences), told["inputs"])


def _evidence(told: Mapping[str, Any]) -> Evidence:
    return Evidence(**{**told, "sentences": tuple(told["sentences"])})
