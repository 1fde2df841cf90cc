"""`banyan risks`: what could go wrong, by domain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cutover.core.governing import Registered

_HELD = 3


def risks(
    config: Annotated[Path, typer.Option("--config", "-c", help="The file to read.")] = Path(
        "routing.yaml"
    ),
    domain: Annotated[str, typer.Option(help="Only this one.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 3 when one holds a domain or is overdue.")
    ] = False,
) -> None:
    """The risk register: severe open risks first. Those hold their domain's steps forward.

    Example: banyan risks --check
    """
    from datetime import UTC, datetime

    from cutover.core.governing import register
    from cutover.service.in_force import domain_of
    from proxy.storage.tables import load_routing

    table = load_routing(config)
    asked = (domain_of(table, domain),) if domain else table.domains
    today = datetime.now(UTC).date()  # noqa: TID251 - the edge's clock
    found = register(asked, today)
    if as_json:
        typer.echo(json.dumps([_value(one) for one in found], ensure_ascii=False, indent=1))
    elif found:
        _show(found)
    else:
        typer.echo("No risks are written down. Add risks to a domain; docs/reference/gates.md")
    if check and any(one.holds or one.is_overdue for one in found):
        raise typer.Exit(_HELD)


def _show(found: tuple[Registered, ...]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("domain", "risk", "score", "state", "owner", "what"):
        table.add_column(heading, overflow="fold")
    for one in found:
        risk = one.risk
        state = f"{risk.state}, holds its domain" if one.holds else str(risk.state)
        late = f"; to be looked at since {risk.review}" if one.is_overdue else ""
        done = f" ({risk.mitigation})" if risk.mitigation else ""
        row = (one.domain, risk.id, str(one.score), state + late, risk.owner, risk.what + done)
        table.add_row(*map(escape, row))
    console.print(table)


def _value(one: Registered) -> dict[str, Any]:
    risk = one.risk
    return {
        "domain": one.domain,
        "id": risk.id,
        "what": risk.what,
        "likelihood": risk.likelihood,
        "impact": risk.impact,
        "score": one.score,
        "owner": risk.owner,
        "state": risk.state,
        "mitigation": risk.mitigation,
        "review": None if risk.review is None else risk.review.isoformat(),
        "is_overdue": one.is_overdue,
        "holds": one.holds,
    }
