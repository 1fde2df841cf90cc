"""`banyan undo`: take a revision back, through a plan like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cutover.settings import CutoverSettings, load_settings

if TYPE_CHECKING:
    from cutover.cli.going_through import Proposal
    from cutover.core.revision import Revision


def undo(
    number: Annotated[int, typer.Argument(metavar="N", help="The revision to take back.")],
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")],
    and_later: Annotated[
        bool, typer.Option("--and-later", help="Take back all that came after it too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    actor: Annotated[
        str | None, typer.Option(help="Who the ledger names. Default: BANYAN_ACTOR, or you.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Take back what a revision changed. What came into force since stays.

    It is planned and asked like any apply: steps back ask no gate, steps forward do. When
    later revisions changed the same domains it is refused, and they are named. The desired
    state is not touched: banyan plan shows what it still asks for. Exit codes are those of
    banyan apply. In an emergency, banyan rollback is quicker and asks nothing.

    Example: banyan undo 7 --reason "the new rule hides prices"
    """
    from cutover.cli.going_through import How, go_through

    settings = load_settings()
    if settings.room:
        from cutover.app.elsewhere import client
        from cutover.cli.remote import undo_there

        made, name = undo_there(client(settings, actor), number, and_later=and_later)
    else:
        made, name = _undo_here(settings, number, actor or settings.actor, and_later=and_later)
    if go_through(made, name, How(yes=yes, as_json=as_json), reason) and not as_json:
        typer.echo("The desired state is as it was; banyan plan shows what it asks for.")


def _undo_here(
    settings: CutoverSettings, number: int, who: str, *, and_later: bool
) -> tuple[Proposal, str]:
    import asyncio

    from cutover.app.hands import hands
    from cutover.cli.going_through import here

    acting = hands(settings)
    prepared = asyncio.run(acting.undo(number, actor=who, and_later=and_later))

    def committed(reason: str) -> Revision:
        return asyncio.run(acting.apply(prepared, actor=who, reason=reason))

    return here(settings, prepared, committed), prepared.name
