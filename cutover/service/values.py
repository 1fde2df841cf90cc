"""Plans, judgements and revisions as plain values for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cutover.core.chain import Checked
    from cutover.core.gate import Judgement
    from cutover.core.plan import Plan
    from cutover.core.revision import Revision
    from cutover.core.stages import Position
    from cutover.service.acknowledge import Acknowledged
    from cutover.service.rolling_back import RolledBack


def plan_value(plan: Plan) -> dict[str, Any]:
    """A plan for programs."""
    return {
        "in_force": plan.in_force,
        "desired": plan.desired,
        "is_empty": plan.is_empty,
        "is_refused": bool(plan.refused),
        "details": list(plan.details),
        "changes": [
            {
                "domain": change.domain,
                "before": position_value(change.before),
                "after": position_value(change.after),
                "direction": str(change.direction),
                "step": change.step,
                "details": list(change.details),
                "refusals": list(change.refusals),
                "observed": list(change.observed),
                "gate": judgement_value(change.judgement),
                "gates": [
                    {
                        "gate": answer.gate,
                        "verdict": str(answer.verdict),
                        "sentences": list(answer.sentences),
                        "inputs": dict(answer.inputs),
                    }
                    for answer in change.answers
                ],
            }
            for change in plan.changes
        ],
    }


def judgement_value(found: Judgement | None) -> dict[str, Any] | None:
    """What a gate said."""
    if found is None:
        return None
    return {
        "verdict": str(found.verdict),
        "sentences": list(found.sentences),
        "compared": found.compared,
        "lower_ppm": found.lower_ppm,
        "min_ppm": found.min_ppm,
        "confidence_bp": found.confidence_bp,
    }


def position_value(at: Position | None) -> dict[str, Any] | None:
    """A stage with its share, and whether writes stay with legacy."""
    if at is None:
        return None
    return {
        "stage": str(at.stage),
        "core_share_bp": at.core_share_bp,
        "writes_stay": at.writes_stay,
    }


def whole_revision_value(revision: Revision) -> dict[str, Any]:
    """A revision with all that it holds."""
    entry = revision.entry
    return {
        **revision_value(revision),
        "evidence": [asdict(told) for told in entry.evidence],
        "table_sha256": revision.table_sha256,
        "routing_yaml": entry.routing_yaml,
        "found": None if entry.found is None else asdict(entry.found),
        "prev_hash": revision.prev_hash,
    }


def revision_value(revision: Revision) -> dict[str, Any]:
    """A revision without its table."""
    entry = revision.entry
    return {
        "n": revision.n,
        "at": entry.at.isoformat(timespec="milliseconds"),
        "actor": entry.actor,
        "kind": str(entry.kind),
        "reason": entry.reason,
        "changes": list(entry.changes),
        "table": revision.table_sha256[:12],
        "hash": revision.hash,
    }


def checked_value(found: Checked, notes: tuple[str, ...]) -> dict[str, Any]:
    """Whether the ledger is whole."""
    return {
        "is_whole": not found.flaws,
        "revisions": found.count,
        "head": found.head,
        "noted": found.noted,
        "problems": [{"problem": flaw.problem, "way_out": flaw.way_out} for flaw in found.flaws],
        "notes": list(notes),
    }


def rolled_back_value(done: RolledBack, taken: Acknowledged) -> dict[str, Any]:
    """What a rollback did."""
    return {
        "domain": done.domain,
        "before": position_value(done.before),
        "after": position_value(done.after),
        "is_change": done.is_change,
        "table": done.revision,
        "revision": None if done.entry is None else revision_value(done.entry),
        "warnings": list(done.warnings),
        "proxy": taken_value(taken),
    }


def taken_value(taken: Acknowledged) -> dict[str, Any]:
    """What the proxy made of a table."""
    return {
        "ack": str(taken.ack),
        "sentence": taken.sentence,
        "elapsed_s": round(taken.elapsed_s, 3),
    }
