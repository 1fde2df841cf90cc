"""`banyan steer` and `banyan approve`: what moves by itself, and who lets it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cutover.settings import load_settings
from proxy.routing import Stage

if TYPE_CHECKING:
    from cutover.service.steering import Steered

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def steer(
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.2)] = 2.0,
    as_json: _Json = False,
) -> None:
    """Take domains back that harm shoppers, and raise shares that ramps may raise.

    Does what each domain's rollback and ramp say, again and again, until Ctrl-C. The control
    room does the same while it runs; several may steer at once. Exit codes: 0 ended, 1 failed.

    Example: banyan steer --once
    """
    import asyncio

    from cutover.app.steering import steer as steering

    last: dict[str, tuple[str, ...]] = {}

    def told(found: Sequence[Steered]) -> None:
        if once and not found and not as_json:
            typer.echo("Nothing steers itself: no domain in force has a rollback or a ramp.")
        for one in found:
            line = _line(one)
            if once or last.get(one.domain) != line:
                typer.echo(_as_json(one) if as_json else "".join(line))
            last[one.domain] = line

    try:
        asyncio.run(steering(load_settings(), told, every_s=every, looks=1 if once else None))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def approve(
    domain: Annotated[str, typer.Argument(help="The domain that may take a step.")],
    to: Annotated[Stage, typer.Option(help="The stage that it may come to.")],
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")],
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take back what you said before.")
    ] = False,
    actor: Annotated[
        str | None, typer.Option(help="Who the ledger names. Default: BANYAN_ACTOR, or you.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Say yes to a domain's next stage, for a gate that asks for people's approval.

    A yes is about the domain as it stands in force now: any change of it makes the yes void,
    and the step uses it up. Whoever applies the step does not count. Exit codes: 0 written
    down, 1 failed.

    Example: banyan approve catalog --to canary --reason "parity shown, team on call"
    """
    from cutover import app
    from cutover.service.approving import Wish
    from cutover.service.approving import approve as write_down
    from cutover.service.values import revision_value

    settings = load_settings()
    wish = Wish(domain, to, actor or settings.actor, reason, withdraw)
    if settings.room:
        from cutover.app.elsewhere import client
        from cutover.cli.remote import approve_there

        revision = approve_there(client(settings, actor), wish)
    else:
        revision = write_down(app.books(settings), wish)
    if as_json:
        typer.echo(json.dumps(revision_value(revision), ensure_ascii=False))
    else:
        typer.echo(f"Revision {revision.n}: {revision.entry.changes[0]}")


def _line(one: Steered) -> tuple[str, ...]:
    """What is said of a domain; figures of a look that changes nothing are no news."""
    course = one.course
    ahead = ""
    if course.share_bp is not None and not one.done:
        waits = "" if course.waits_s is None else f" in {_minutes(course.waits_s)} at the earliest"
        ahead = f"; next {course.share_bp / 100:g} %{waits}"
    what = one.done or f"stays in {one.at}"
    problem = f" ({one.problem})" if one.problem else ""
    return f"{one.domain}: {what}", f": {course.because}{ahead}{problem}"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _as_json(one: Steered) -> str:
    from cutover.storage.course_file import steered_value

    return json.dumps({"domain": one.domain, **steered_value(one)}, ensure_ascii=False)
