"""The work of `banyan apply PLAN`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from cutover.app.hands import hands
from cutover.cli.going_through import Proposal, here
from cutover.core.plan_file import PlanFile, changed_since
from cutover.settings import CutoverSettings
from cutover.storage.plan_files import read_plan

if TYPE_CHECKING:
    from cutover.core.revision import Revision


def planned_here(settings: CutoverSettings, file: Path, *, actor: str) -> Proposal:
    """Just what a plan file says, as it stands now.

    Raises:
        CutoverError: it was altered, is stale, or is not for this Banyan.
    """
    planned = read_plan(file)
    acting = hands(settings)
    prepared = asyncio.run(acting.plan_again(planned, actor=actor))
    against = _was_refused(planned, file) or changed_since(planned, prepared.plan)

    def committed(reason: str) -> Revision:
        work = acting.apply(prepared, actor=actor, reason=reason, planned=planned)
        return asyncio.run(work)

    return here(settings, prepared, committed, against)


def _was_refused(planned: PlanFile, file: Path) -> tuple[str, ...]:
    """A plan is approved as it reads: one that says "refused" was approved by nobody."""
    if not planned.refused:
        return ()
    names = ", ".join(planned.refused)
    sentence = (
        f"{file} was refused when it was made, because of {names}; when that has passed, make"
        f" the plan anew: banyan plan --config {planned.file} --out {file}"
    )
    return (sentence,)
