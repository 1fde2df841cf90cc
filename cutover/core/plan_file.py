"""A plan as a file: made and reviewed at one time, applied at another, exactly as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from cutover.core.gate import Judgement, Verdict
from cutover.core.plan import Plan
from cutover.core.revision import sha256

FORMAT = 1
_KIND = "banyan plan"
_WAITING = ("approvals gate fails: ", "calendar gate fails: ")


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """What was in force when a plan was made; all None before the first apply.

    Attributes:
        revision, revision_hash: of the newest revision that can be read and is no
            approval: those leave the table as it is, and a plan waits for them.
        table_sha256: of the applied file's bytes.
    """

    revision: int | None
    revision_hash: str | None
    table_sha256: str | None


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan, with all that is needed to apply just that.

    Attributes:
        made_at: when, UTC.
        made_by: who.
        file: the desired state's name at that time.
        init: the stages of a first file were taken as they are.
        lines: the plan, a sentence each.
        refusals: domain to why it was refused; empty when nothing stood against it.
        judgements: domain to what its gate said.
        notes: what a person should have known.
        routing_yaml: the whole desired state.
    """

    made_at: datetime
    made_by: str
    file: str
    init: bool
    made_from: MadeFrom
    lines: tuple[str, ...]
    refusals: Mapping[str, tuple[str, ...]]
    judgements: Mapping[str, Judgement]
    notes: tuple[str, ...]
    routing_yaml: str

    @property
    def refused(self) -> tuple[str, ...]:
        """Domains that more than time and people stood against, by name.

        What waits for the calendar, or for the approval of whoever reads the file, is
        refused until then; but it is the same plan afterwards.
        """
        return tuple(
            sorted(
                name
                for name, refusals in self.refusals.items()
                if not all(refusal.startswith(_WAITING) for refusal in refusals)
            )
        )

    @property
    def name(self) -> str:
        """The first 12 digits of its hash: what the ledger calls it."""
        return _hash(_fields(self))[:12]


class NotAPlan(ValueError):
    """A file's content is no plan, or not the one that was written."""


class NewerPlan(ValueError):
    """A plan was written by a Banyan that knows more than this one."""


def refusals_of(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Domain to why it is refused."""
    return {change.domain: change.refusals for change in plan.refused}


def judgements_of(plan: Plan) -> dict[str, Judgement]:
    """Domain to what its gate said, where one was asked."""
    return {
        change.domain: change.judgement for change in plan.changes if change.judgement is not None
    }


def plan_to_json(planned: PlanFile) -> bytes:
    """The file's content: readable, keys in a fixed order, a hash over all of it at the end."""
    fields = _fields(planned)
    fields["hash"] = _hash(fields)
    return (json.dumps(fields, ensure_ascii=False, indent=1) + "\n").encode()


def plan_from_json(content: bytes) -> PlanFile:
    """Read a plan back.

    Raises:
        NewerPlan: its format is newer than FORMAT.
        NotAPlan: it is something else, or any byte of it is not as it was written.
    """
    try:
        told: dict[str, Any] = json.loads(content)
        _refuse_others(told)
        planned = _read(told)
        # Comparing bytes also finds what a hash over the meaning would forgive.
        is_as_written = plan_to_json(planned) == content
    except (NotAPlan, NewerPlan):
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise NotAPlan("it cannot be read as a plan") from exc
    if not is_as_written:
        raise NotAPlan("it was altered after it was written")
    return planned


def changed_since(planned: PlanFile, now: Plan) -> tuple[str, ...]:
    """What stands against a plan now and did not when it was made, a sentence each."""
    found = []
    for change in now.refused:
        then = planned.judgements.get(change.domain)
        judged = change.judgement
        if then is not None and judged is not None and judged.verdict is not then.verdict:
            found.append(
                f"{change.domain}: its gate said {_said(then)} when the plan was made"
                f" ({planned.made_at:%Y-%m-%d %H:%M} UTC), and says {_said(judged)} now"
            )
        known = planned.refusals.get(change.domain, ())
        found += [
            f"{change.domain}: was not refused when the plan was made, and is now: {refusal}"
            for refusal in change.refusals
            if refusal not in known and not refusal.startswith("parity gate ")
        ]
    return tuple(found)


def _said(judged: Judgement) -> str:
    return f"{judged.verdict}: {'; '.join(judged.sentences)}"


def _fields(planned: PlanFile) -> dict[str, Any]:
    return {
        "kind": _KIND,
        "format": FORMAT,
        "made_at": planned.made_at.isoformat(timespec="milliseconds"),
        "made_by": planned.made_by,
        "file": planned.file,
        "init": planned.init,
        "made_from": asdict(planned.made_from),
        "desired_sha256": sha256(planned.routing_yaml.encode()),
        "is_refused": bool(planned.refusals),
        "lines": list(planned.lines),
        "refusals": {name: list(why) for name, why in planned.refusals.items()},
        "gates": {
            name: {**asdict(said), "verdict": str(said.verdict), "sentences": list(said.sentences)}
            for name, said in planned.judgements.items()
        },
        "notes": list(planned.notes),
        "routing_yaml": planned.routing_yaml,
    }


def _refuse_others(told: Mapping[str, Any]) -> None:
    if told["kind"] != _KIND:
        raise NotAPlan("it is no plan")
    if isinstance(told["format"], int) and told["format"] > FORMAT:
        raise NewerPlan(f"it has format {told['format']}, and this Banyan knows {FORMAT}")


def _read(told: Mapping[str, Any]) -> PlanFile:
    return PlanFile(
        made_at=datetime.fromisoformat(told["made_at"]),
        made_by=str(told["made_by"]),
        file=str(told["file"]),
        init=bool(told["init"]),
        made_from=MadeFrom(**told["made_from"]),
        lines=tuple(map(str, told["lines"])),
        refusals={name: tuple(map(str, why)) for name, why in told["refusals"].items()},
        judgements={name: _judgement(said) for name, said in told["gates"].items()},
        notes=tuple(map(str, told["notes"])),
        routing_yaml=str(told["routing_yaml"]),
    )


def _judgement(told: Mapping[str, Any]) -> Judgement:
    known = {**told, "verdict": Verdict(told["verdict"]), "sentences": tuple(told["sentences"])}
    return Judgement(**known)


def _hash(fields: Mapping[str, Any]) -> str:
    canonical = json.dumps(fields, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode())
