"""`banyan preflight`: whether a legacy database can be kept in step."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from legacy_adapters.service.preflight import Preflight


def preflight(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            help="the shop's database; default BANYAN_LEGACY_DATABASE",
            envvar="BANYAN_LEGACY_DATABASE",
            show_envvar=False,
        ),
    ] = "",
    ignore: Annotated[
        list[str] | None,
        typer.Option(help="a table that stays, and why: 'shop_gift: gifts come later'; repeatable"),
    ] = None,
    shallow: Annotated[
        bool, typer.Option("--shallow", help="do not read rows for dates and texts that are none")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON value")] = False,
) -> None:
    """Refuse what change capture cannot see, before anything is moved.

    It looks at the database's settings, tables, references and rows, and changes nothing.
    Exit status: 0 nothing refuses, 1 something does.

    Example: banyan preflight --from mysql://banyan@127.0.0.1/shop
    """  # fmt: skip
    import asyncio

    from legacy_adapters.app.checking import run_preflight
    from legacy_adapters.errors import AdapterError
    from new_core.settings import CoreSettings

    if not source:
        raise AdapterError("name the shop's database: --from URL, or BANYAN_LEGACY_DATABASE")
    ignored = dict(_reason(text) for text in ignore or [])
    found = asyncio.run(run_preflight(CoreSettings(), source, ignored, deep=not shallow))
    if as_json:
        typer.echo(json.dumps(_body(found), ensure_ascii=False))
    else:
        _show(found)
    raise typer.Exit(0 if found.is_clear else 1)


def _reason(text: str) -> tuple[str, str]:
    from legacy_adapters.errors import AdapterError

    table, colon, why = text.partition(":")
    if not colon or not table.strip() or not why.strip():
        raise AdapterError(f"--ignore {text!r}: write TABLE: REASON")
    return table.strip(), why.strip()


def _body(found: Preflight) -> dict[str, object]:
    return {
        "clear": found.is_clear,
        "database": found.database,
        "tables": found.tables,
        "moved": found.moved,
        "ignored": found.ignored,
        "cowritten": [
            {"domains": list(pair), "transactions": count}
            for pair, count in sorted(found.cowritten.items())
        ],
        "watched": found.watched,
        "findings": [asdict(one) for one in found.findings],
    }


def _show(found: Preflight) -> None:
    from rich.console import Console
    from rich.table import Table

    from legacy_adapters.mapping.preflight import Severity

    console = Console(highlight=False)
    refused = sum(one.severity is Severity.REFUSE for one in found.findings)
    if found.findings:
        table = Table(title=f"What {found.database} told", show_lines=True)
        for name in ("", "where", "problem", "way out"):
            table.add_column(name, overflow="fold")
        for one in found.findings:
            colour = "red" if one.severity is Severity.REFUSE else "yellow"
            table.add_row(f"[{colour}]{one.severity}[/{colour}]", one.where, one.problem, one.fix)
        console.print(table)
    console.print(
        f"{found.tables} tables: {found.moved} move, {found.ignored} stay for a reason. "
        f"{found.watched:,} transactions were watched for domains written together"
        f"{': none were' if found.watched and not found.cowritten else ''}."
    )
    if refused:
        console.print(f"[red]{refused} finding(s) refuse the migration.[/red]")
    else:
        more = len(found.findings)
        tail = f"; read the {more} warning(s)" if more else ""
        console.print(f"[green]Nothing refuses the migration{tail}.[/green]")
