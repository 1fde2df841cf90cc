"""Plans for people's eyes."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from cutover.core.plan import DomainChange, Plan
from cutover.core.stages import Direction
from cutover.core.strata import Verdict

_COLOURS = {
    Direction.FORWARD: typer.colors.GREEN,
    Direction.BACKWARD: typer.colors.YELLOW,
    Direction.SKIP: typer.colors.RED,
    Direction.SAME: typer.colors.CYAN,
}
_MARKS = {
    Direction.FORWARD: ">",
    Direction.BACKWARD: "<",
    Direction.SKIP: "!",
    Direction.SAME: "~",
}


def plan_lines(plan: Plan, file: str) -> Iterator[str]:
    """A plan as lines: what changes, what each gate says, and whether it can be applied."""
    if plan.is_empty:
        yield f"Nothing to change: {file} asks for what is in force ({plan.in_force})."
        return
    before = plan.in_force or "nothing is in force yet"
    yield f"Plan of {file} ({plan.desired}) against what is in force ({before}):"
    yield ""
    for detail in plan.details:
        yield f"  ~ {detail}"
    width = max((len(change.domain) for change in plan.changes), default=0)
    for change in plan.changes:
        yield from _change_lines(change, width)
    yield ""
    if plan.refused:
        names = ", ".join(change.domain for change in plan.refused)
        yield typer.style(f"Refused because of {names}; nothing changes.", fg=typer.colors.RED)
    else:
        count = len(plan.changes)
        told = "1 domain changes" if count == 1 else f"{count} domains change"
        yield f"{told}; nothing stands against it."


def _change_lines(change: DomainChange, width: int) -> Iterator[str]:
    sign = "+" if change.before is None else "-" if change.after is None else None
    mark = typer.style(sign or _MARKS[change.direction], fg=_COLOURS[change.direction])
    yield f"  {mark} {change.domain:<{width}}  {change.step}"
    for detail in change.details:
        yield f"      {detail}"
    for refusal in change.refusals:
        yield typer.style(f"      refused: {refusal}", fg=typer.colors.RED)
    for told in change.observed:
        yield typer.style(f"      only observed: {told}", fg=typer.colors.YELLOW)
    if change.refusals:
        return
    if change.judgement is not None and change.judgement.verdict is Verdict.PASS:
        yield f"      gate passes: {change.judgement.sentences[0]}"
    for answer in change.answers:
        if answer.verdict is Verdict.PASS:
            yield f"      {answer.gate} gate passes: {answer.sentences[0]}"
