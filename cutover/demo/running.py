"""Run the house or the demo to its end, and stop every child whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from rich.markup import escape

from cutover.demo.commands import Banyan
from cutover.demo.promises import Summary
from cutover.demo.screen import Screen
from cutover.demo.stage import Stage
from cutover.demo.story import Story
from cutover.demo.telling import Pace
from cutover.edge.children import Children, check_ports
from cutover.edge.services import House
from cutover.errors import CutoverError
from proxy.errors import ProxyError
from shadow_compare.errors import CompareError

INTERRUPTED = 130
_KNOWN = (CutoverError, ProxyError, CompareError)


def run_up(house: House, config: Path) -> int:
    """Run everything until a signal; returns the exit code."""
    return _to_the_end(_up(house, config))


def run_demo(house: House, cache: Path, *, leave: bool) -> int:
    """Tell the story; returns 0, 1 when it failed or a promise was not kept, 130 when a
    signal broke it off.
    """
    return _to_the_end(_demo(house, cache, leave=leave))


async def _up(house: House, config: Path) -> int:
    screen = Screen()
    check_ports(house.all())
    if not house.applied.exists():
        await _first_apply(house, config, screen)

    def restarted(name: str, code: int) -> None:
        screen.say(f"[yellow]{escape(name)} ended with code {code}; starting it again[/]")

    async with Children(house.var / "logs", restarted) as children:
        for service in house.all():
            with screen.waiting(f"starting {service.name}", 1) as bar:
                await children.start(service)
                bar.at(1, "ready")
        screen.say(f"Shoppers: {house.ports.url('proxy')}")
        screen.say(f"Control room: {house.ports.url('room')}")
        screen.say(f"Logs: {house.var / 'logs'}. Ctrl-C stops everything.")
        await _signal()
    return 0


async def _first_apply(house: House, config: Path, screen: Screen) -> None:
    args = ("apply", "--config", str(config), "--yes", "--reason", "first start")
    screen.command("banyan " + " ".join(args))
    ended = await Banyan({**os.environ, **house.env}).run(*args)  # noqa: TID251 - handed on whole
    screen.output(ended.out)


async def _demo(house: House, cache: Path, *, leave: bool) -> int:
    screen = Screen()
    screen.console.print("[bold]Banyan moves a real store's catalogue and orders to a new core.[/]")
    async with Stage(house, cache, screen.output_width) as stage:
        summary = await Story(stage, screen, Pace()).tell()
        broken = summary.broken()
        _show(screen, summary, broken)
        if leave:
            return 1 if broken else 0
        await stage.keep_serving()
        screen.say(
            f"A few shoppers stay. Control room: [bold]{stage.url('room')}[/], "
            f"shop: {stage.url('proxy')}/api/products/. Ctrl-C stops everything."
        )
        await _signal()
    return 0


def _show(screen: Screen, summary: Summary, broken: tuple[str, ...]) -> None:
    screen.chapter("Summary")
    screen.table(
        [
            ("shoppers' requests", f"{summary.requests:,} by {summary.shoppers} shoppers"),
            ("failures", f"{summary.failures:,}"),
            ("side changes", f"{summary.side_changes:,}"),
            ("  outside an applied step", f"{summary.side_changes_unexplained:,}"),
            ("rollback", f"{summary.rollback_s:.2f} s"),
            ("catalogue parity", _parity(summary)),
            ("mirrored exchanges", _books(summary)),
            ("orders acknowledged", f"{summary.orders:,}, {summary.orders_on_core:,} by the core"),
            ("  lost or doubled", f"{summary.orders_lost:,} or {summary.orders_doubled:,}"),
            ("writes waited", _freezes(summary)),
            ("while the core owned", summary.readiness),
            ("ramp", f"{summary.ramp_steps} steps by itself"),
            ("report", summary.report),
            ("told in", f"{summary.story_s:.0f} s"),
        ]
    )
    for sentence in broken:
        screen.say(f"[bold red]Broken promise: {escape(sentence)}.[/]")
    closing = json.dumps({**dataclasses.asdict(summary), "broken": list(broken)})
    screen.console.print(closing, markup=False, soft_wrap=True)


def _parity(summary: Summary) -> str:
    seen, bound = summary.parity_ppm / 10_000, summary.parity_lower_ppm / 10_000
    sure = summary.confidence_bp / 100
    return f"{seen:.2f} %, at least {bound:.2f} % ({sure:g} % sure, {summary.compared:,} compared)"


def _freezes(summary: Summary) -> str:
    return f"{summary.freeze_there_ms:.0f} ms to the core, {summary.freeze_back_ms:.0f} ms back"


def _books(summary: Summary) -> str:
    if summary.balance_gap:
        return f"{summary.mirrored:,}, {summary.balance_gap:,} unaccounted for"
    return f"{summary.mirrored:,}, all accounted for, {summary.lost:,} lost"


def _to_the_end(work: Coroutine[Any, Any, int]) -> int:
    try:
        return asyncio.run(_until_signal(work))
    except _KNOWN as exc:
        sys.stderr.write(f"banyan: {exc}\n")
        return 1


async def _signal() -> None:
    """Wait for Ctrl-C or SIGTERM, the expected end of what keeps serving."""
    # Swallowed, not passed on: only the handlers below cancel this task, and a
    # cancellation anywhere earlier still means that the work was broken off.
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    with contextlib.suppress(OSError):
        sys.stdout.write("Stopping …\n")
        sys.stdout.flush()


async def _until_signal(work: Coroutine[Any, Any, int]) -> int:
    """Cancel the work on Ctrl-C or SIGTERM, so that its children are stopped in order."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work, name="the house")
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            sys.stdout.write("Stopped.\n")
        return INTERRUPTED
