"""`banyan routes set` and `banyan routes accept`: edit the desired state, comments kept."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

_CONFIG = typer.Option("--config", "-c", help="The desired state to edit.")


def set_stage(
    domain: Annotated[str, typer.Argument(help="A domain of the file.")],
    stage: Annotated[str, typer.Option(help="legacy, shadow, canary, core or retired.")],
    core_share: Annotated[
        str | None, typer.Option(help="Share of shoppers for stage canary, e.g. 10%.")
    ] = None,
    config: Annotated[Path, _CONFIG] = Path("routing.yaml"),
) -> None:
    """Write a domain's stage into the file. Nothing changes until `banyan apply`.

    Example: banyan routes set catalog --stage canary --core-share 10%
    """
    from cutover.storage.rules_file import edited, set_stage_in

    edited(config, lambda document: set_stage_in(document, domain, stage, core_share))
    share = f" {core_share}" if core_share else ""
    typer.echo(f"{config}: {domain} is to be {stage}{share}. See it with: banyan plan")


def accept(
    domain: Annotated[str, typer.Argument(help="A domain of the file.")],
    path: Annotated[str, typer.Argument(help="Where the difference is, e.g. '$.date_updated'.")],
    owner: Annotated[str, typer.Option(help="Who answers for accepting it.")],
    reason: Annotated[str, typer.Option(help="Why it is right to accept it.")],
    kind: Annotated[
        str,
        typer.Option(
            "--as", help="any, unordered, timestamp, uuid, null_or_absent or number_text."
        ),
    ] = "any",
    days: Annotated[int, typer.Option(min=1, max=730, help="For how many days.")] = 90,
    config: Annotated[Path, _CONFIG] = Path("routing.yaml"),
) -> None:
    """Write an accepted difference into the file. Nothing changes until `banyan apply`.

    Example: banyan routes accept catalog '$.date_updated' --as timestamp
    --owner merchandising --reason "each store stamps its own writes"
    """
    from cutover.storage.rules_file import add_rule_to, edited

    last_day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=days)  # noqa: TID251 - the edge
    rule = {
        "path": path,
        "accept": kind,
        "owner": owner,
        "reason": reason,
        "expires": last_day,
    }
    edited(config, lambda document: add_rule_to(document, domain, rule))
    typer.echo(f"{config}: {domain} accepts {path} until {last_day}. See it with: banyan plan")
