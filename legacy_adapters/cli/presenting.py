"""Shows a backfill: a progress bar while it runs, tables or one JSON line at its end."""

from __future__ import annotations

import json
from dataclasses import asdict
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from typing_extensions import override

from legacy_adapters.service.report import EntityCheck, Report


class SilentProgress:
    """Tells nobody."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def begin(self, task: str, total: int, done: int) -> None:
        """A task starts."""

    def advance(self, steps: int) -> None:
        """So many more are done."""


class RichProgress(SilentProgress):
    """A bar per task on stderr, with the time that is left."""

    def __init__(self) -> None:
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None

    @override
    def __enter__(self) -> Self:
        self._bars.start()
        return self

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    @override
    def begin(self, task: str, total: int, done: int) -> None:
        self._task = self._bars.add_task(task, total=total, completed=done)

    @override
    def advance(self, steps: int) -> None:
        if self._task is not None:
            self._bars.advance(self._task, steps)


def as_line(report: Report) -> str:
    """The report as one JSON line."""
    check = report.check
    body = {
        "ok": report.complete,
        "equal": check.equal,
        "resumed": report.resumed,
        "written": report.written,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "recopied": check.recopied,
        "entities": [_entity(one) for one in check.entities],
        "totals": [{**asdict(one), "equal": one.equal} for one in check.totals],
        "parked_count": report.parked_count,
        "parked": [asdict(one) for one in report.parked],
        "elapsed_s": round(report.elapsed_s, 3),
    }
    return json.dumps(body, ensure_ascii=False)


def _entity(one: EntityCheck) -> dict[str, object]:
    return {
        "entity": one.entity,
        "legacy": one.legacy,
        "core": one.core,
        "parked": one.parked,
        "legacy_checksum": _checksum(one.legacy_sum),
        "core_checksum": _checksum(one.core_sum),
        "differences": one.differences,
        "differing": one.differing,
        "equal": one.equal,
    }


def _checksum(total: int) -> str:
    return f"{total % 2**64:016x}"


def print_report(report: Report) -> None:
    """The report as tables, then one sentence."""
    console = Console(highlight=False)
    console.print(_entities_table(report))
    console.print(_totals_table(report))
    for one in report.check.entities:
        if one.differing:
            more = f" and {one.differences - len(one.differing)} more"
            tail = more if one.differences > len(one.differing) else ""
            console.print(f"[red]{one.entity}[/red] differs: {', '.join(one.differing)}{tail}")
    for parked in report.parked:
        where = f"{parked.entity_type} {parked.external_id}"
        console.print("parked", where, parked.reason, markup=False, sep=": ")
    if report.parked_count > len(report.parked):
        console.print(f"… and {report.parked_count - len(report.parked)} more are parked")
    console.print(_sentence(report))


def _entities_table(report: Report) -> Table:
    table = Table(title="Row by row: legacy mapped, core read back")
    for name in ("entity", "legacy", "core", "parked", "checksum legacy", "checksum core", ""):
        table.add_column(name, justify="right" if name in ("legacy", "core", "parked") else "left")
    for one in report.check.entities:
        table.add_row(
            one.entity,
            f"{one.legacy:,}",
            f"{one.core:,}",
            f"{one.parked:,}",
            _checksum(one.legacy_sum),
            _checksum(one.core_sum),
            _verdict(equal=one.equal),
        )
    return table


def _totals_table(report: Report) -> Table:
    table = Table(title="Sums by each database")
    for name in ("sum", "legacy", "core", ""):
        table.add_column(name, justify="right" if name in ("legacy", "core") else "left")
    for one in report.check.totals:
        table.add_row(one.name, f"{one.legacy:,}", f"{one.core:,}", _verdict(equal=one.equal))
    return table


def _verdict(*, equal: bool) -> str:
    return "[green]equal[/green]" if equal else "[red]differs[/red]"


def _sentence(report: Report) -> str:
    done = (
        f"{report.written:,} rows written, {report.unchanged:,} unchanged, "
        f"{report.removed:,} removed in {report.elapsed_s:.1f} s"
    )
    if not report.check.equal:
        return f"[red]The core is not equal to the legacy.[/red] {done}."
    if report.parked_count:
        parked = f"{report.parked_count:,} rows are parked: mend them and run this again"
        return f"[yellow]All else is equal; {parked}.[/yellow] {done}."
    return f"[green]The core is equal to the legacy.[/green] {done}."
