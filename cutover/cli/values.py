"""Plans, judgements and revisions as plain values for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cutover.core.gate import Judgement
    from cutover.core.plan import Plan
    from cutover.core.revision import Revision
    from cutover.core.stages import Position


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
                "gate": judgement_value(change.judgement),
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
    """A stage with its share."""
    if at is None:
        return None
    return {"stage": str(at.stage), "core_share_bp": at.core_share_bp}


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
