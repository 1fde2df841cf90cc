"""A plan on its way into force: shown, asked about, applied, and taken by the proxy."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from cutover.errors import CutoverError
from cutover.settings import CutoverSettings

if TYPE_CHECKING:
    from cutover.core.plan import Plan
    from cutover.core.revision import Revision
    from cutover.service.acknowledge import Acknowledged
    from cutover.service.applying import Prepared

REFUSED = 3


@dataclass(frozen=True, slots=True)
class How:
    """How a step talks: whether it asks, and whether to people or to programs."""

    yes: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class Put:
    """A plan that was put in force, and what the proxy made of it."""

    revision: Revision
    taken: Acknowledged


class Refused(Exception):
    """A gate closed between the plan and its application.

    Attributes:
        plan: as it stands now.
        against: what changed since it was made, a sentence each.
    """

    def __init__(self, plan: Plan, against: tuple[str, ...]) -> None:
        super().__init__()
        self.plan = plan
        self.against = against


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan, here or in a room elsewhere, and how to put it in force.

    Attributes:
        is_in_force: there is nothing to apply.
        put: takes the reason. Raises Refused, and CutoverError.
        against: what stands against it beside its own refusals, a sentence each.
    """

    plan: Plan
    notes: tuple[str, ...]
    is_in_force: bool
    put: Callable[[str], Put]
    against: tuple[str, ...] = ()


def here(
    settings: CutoverSettings,
    prepared: Prepared,
    committed: Callable[[str], Revision],
    against: tuple[str, ...] = (),
) -> Proposal:
    """A plan over this machine's files; `committed` takes the reason."""

    def put(reason: str) -> Put:
        from cutover import app
        from cutover.service.acknowledge import wait_until_taken

        revision = committed(reason)
        table = revision.table_sha256[:12]
        return Put(revision, wait_until_taken(app.door(settings), table, app.timer()))

    seen = prepared.in_force
    is_in_force = prepared.plan.is_empty and seen.on_disk == seen.text
    return Proposal(prepared.plan, prepared.notes, is_in_force, put, against)


def go_through(proposal: Proposal, name: str, how: How, reason: str) -> bool:
    """Show a plan, ask, put it in force, and wait for the proxy.

    `name` is what the plan's lines call the desired table.

    Returns:
        False when there was nothing to change.

    Raises:
        typer.Exit: REFUSED, 1 where a person said no, or NOT_TAKEN.
    """
    if not how.as_json:
        warn(proposal.notes)
        _show(proposal, name)
    if proposal.plan.refused or proposal.against:
        _refuse(proposal, how)
    if proposal.is_in_force:
        if how.as_json:
            print_json(_applied_value(proposal))
        return False
    if not how.yes:
        _ask()
    try:
        done = proposal.put(reason)
    except Refused as exc:
        closed = replace(proposal, plan=exc.plan, against=exc.against)
        if not how.as_json:
            _show(closed, name)
        _refuse(closed, how)
    _tell(proposal, done, how)
    return True


def _show(proposal: Proposal, name: str) -> None:
    from cutover.cli.show import plan_lines

    typer.echo("\n".join(plan_lines(proposal.plan, name)))
    for sentence in proposal.against:
        typer.secho(sentence, fg=typer.colors.RED)


def _refuse(proposal: Proposal, how: How) -> NoReturn:
    if how.as_json:
        print_json(_applied_value(proposal))
    raise typer.Exit(REFUSED)


def _tell(proposal: Proposal, done: Put, how: How) -> None:
    from cutover.cli.taking_back import NOT_TAKEN
    from cutover.service.acknowledge import Ack
    from cutover.service.values import revision_value, taken_value

    if how.as_json:
        told = {"is_applied": True, "revision": revision_value(done.revision)}
        print_json({**_applied_value(proposal), **told, "proxy": taken_value(done.taken)})
    else:
        typer.echo(f"Revision {done.revision.n} is in force. {done.taken.sentence}")
    if done.taken.ack is Ack.NOT_TAKEN:
        raise typer.Exit(NOT_TAKEN)


def _applied_value(proposal: Proposal) -> dict[str, Any]:
    from cutover.service.values import plan_value

    return {
        "is_applied": False,
        "plan": plan_value(proposal.plan),
        "revision": None,
        "proxy": None,
        "notes": list(proposal.notes),
        "against": list(proposal.against),
    }


def _ask() -> None:
    if not sys.stdin.isatty():
        raise CutoverError("nobody is there to say yes; say --yes to apply without asking")
    if not typer.confirm("Put this in force?"):
        typer.echo("Nothing changed.")
        raise typer.Exit(1)


def warn(notes: tuple[str, ...]) -> None:
    """Say what a person should know, beside the answer."""
    for note in notes:
        typer.secho(f"note: {note}", err=True, fg=typer.colors.YELLOW)


def print_json(value: object) -> None:
    """One value on standard output, for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False))
