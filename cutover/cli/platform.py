"""`banyan up` and `banyan demo`: the whole house in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def up(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The desired state; applied when var is new.")
    ] = Path("routing.yaml"),
    workers: Annotated[int, typer.Option(min=1, max=64, help="Proxy workers.")] = 1,
) -> None:
    """Run proxy, comparer, core and control room under one supervisor, until Ctrl-C.

    Where BANYAN_LEGACY_DATABASE is set, both stores are kept in step too.

    State lives under BANYAN_VAR (default var). A service that dies is started again.

    Example: banyan up --config routing.yaml
    """
    from cutover.demo.houses import house_of
    from cutover.demo.running import run_up
    from cutover.settings import load_settings

    raise typer.Exit(run_up(house_of(load_settings(), workers), config))


def demo(
    leave: Annotated[
        bool,
        typer.Option(
            "--exit/--stay",
            help="Stop after the summary, with code 1 if a promise in it broke; or keep serving.",
        ),
    ] = False,
) -> None:
    """Move a real store's catalogue to the new core, told step by step.

    State lives under BANYAN_VAR/demo and is made anew each time; the prepared store is kept.

    Example: banyan demo --exit
    """
    from cutover.demo.houses import demo_cache_of, demo_house_of
    from cutover.demo.running import run_demo
    from cutover.settings import load_settings

    settings = load_settings()
    house, cache = demo_house_of(settings), demo_cache_of(settings)
    raise typer.Exit(run_demo(house, cache, leave=leave))
