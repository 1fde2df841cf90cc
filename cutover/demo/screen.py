"""What the demo's audience sees: chapters, plain sentences, commands and their answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

_LOG_WIDTH = 118
_INDENT = 5


class Bar:
    """One running progress line."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def at(self, done: float, note: str) -> None:
        """Move to `done` of the total and say what is true now."""
        self._progress.update(self._task, completed=done, note=note)


class Screen:
    """Writes to a terminal or, as plain lines, to a log."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = _LOG_WIDTH
        self._chapter = 0

    @property
    def output_width(self) -> int:
        """Columns that a command's output may use."""
        return max(self.console.width - _INDENT, 60)

    def chapter(self, title: str) -> None:
        """Begin a new part of the story."""
        self._chapter += 1
        self.console.print()
        self.console.print(f"[bold cyan]{self._chapter}. {escape(title)}[/]")

    def say(self, sentence: str) -> None:
        """One plain sentence; may carry Rich markup."""
        self.console.print(f"   {sentence}")

    def command(self, line: str) -> None:
        """A command as an engineer would type it."""
        self.console.print(f"   [bold green]$ {escape(line)}[/]")

    def output(self, text: str, *, most_lines: int = 40) -> None:
        """What a command printed, indented, its middle folded when it is long."""
        lines = [line.rstrip() for line in text.rstrip().lstrip("\n").splitlines()]
        if len(lines) > most_lines:
            lines = [*lines[:most_lines], f"… and {len(lines) - most_lines} more lines"]
        for line in lines:
            self.console.print(
                f"{' ' * _INDENT}{escape(line)}", style="dim", no_wrap=True, crop=False
            )

    @contextmanager
    def waiting(self, what: str, total: float) -> Iterator[Bar]:
        """A progress line that lives while the block runs."""
        columns = (
            TextColumn("  "),
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console, transient=False) as progress:
            yield Bar(progress, progress.add_task(what, total=total, note=""))

    def table(self, rows: list[tuple[str, str]]) -> None:
        """Two columns: what, and how much."""
        table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2))
        table.add_column(style="bold")
        table.add_column()
        for name, value in rows:
            table.add_row(f"   {escape(name)}", escape(value))
        self.console.print(table)
