"""The files the room reads: the table in force and the ledger of revisions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from threading import Lock

from cutover.api.courses import read_courses
from cutover.api.gather import SourceAway
from cutover.api.readings import DAMAGED, CourseLine, History, RevisionLine, Table
from cutover.core.revision import (
    Damaged,
    DamagedRevision,
    Revision,
    Told,
    breaks,
    from_json,
    told,
)
from cutover.storage.watch_file import waiting_lines
from proxy.errors import RoutingFileError
from proxy.storage.tables import TableWatcher

LATEST_REVISIONS = 100


def table_asker(config: Path) -> Callable[[], Awaitable[Table]]:
    """Ask for the table in force, read again only when its file changed.

    The asker raises SourceAway while the file does not load.
    """
    watcher = TableWatcher(config)

    async def ask() -> Table:
        if watcher.is_due():
            await asyncio.to_thread(watcher.poll)
        if watcher.problem is not None:
            raise SourceAway(f"does not load: {_first(watcher.problem)}")
        if watcher.table is None:
            raise SourceAway("was not read yet")
        table = watcher.table
        return Table(table.revision, table.domains, table.stores)

    return ask


def _first(error: RoutingFileError) -> str:
    return str(error.problems[0]) if error.problems else str(error)


def ledger_asker(folder: Path) -> Callable[[], Awaitable[tuple[RevisionLine, ...]]]:
    """Ask for the latest revisions, newest first; files once read are not read again."""
    known: dict[str, RevisionLine] = {}

    def read() -> tuple[RevisionLine, ...]:
        try:
            names = sorted(
                (path.name for path in folder.glob("[0-9]*.json") if path.stem.isdecimal()),
                reverse=True,
            )
        except OSError as exc:
            raise SourceAway(f"cannot be read ({exc.strerror or exc})") from exc
        latest = names[:LATEST_REVISIONS]
        for name in latest:
            if name not in known:
                known[name] = _revision(folder / name)
        return tuple(known[name] for name in latest)

    async def ask() -> tuple[RevisionLine, ...]:
        return await asyncio.to_thread(read)

    return ask


def _revision(path: Path) -> RevisionLine:
    try:
        content, at_s = path.read_bytes(), path.stat().st_mtime
    except OSError as exc:
        raise SourceAway(f"cannot be read ({exc.strerror or exc})") from exc
    try:
        revision = from_json(content)
    except DamagedRevision as exc:
        return RevisionLine(int(path.stem), at_s, "nobody known", DAMAGED, str(exc), ())
    entry = revision.entry
    return RevisionLine(
        revision.n, entry.at.timestamp(), entry.actor, entry.kind.value, entry.reason, entry.changes
    )


def age_asker(path: Path, clock_s: Callable[[], float]) -> Callable[[], float | None]:
    """Ask how long ago a file was written, seconds; None where there is none."""

    def ask() -> float | None:
        try:
            return max(0.0, clock_s() - path.stat().st_mtime)
        except OSError:
            return None

    return ask


def courses_asker(path: Path) -> Callable[[], Awaitable[Mapping[str, CourseLine]]]:
    """Ask for what domains do by themselves."""

    async def ask() -> Mapping[str, CourseLine]:
        return await asyncio.to_thread(read_courses, path)

    return ask


def watched_asker(
    path: Path, clock_s: Callable[[], float]
) -> Callable[[], Awaitable[tuple[str, ...]]]:
    """Ask which watched files are not in force, and why."""

    async def ask() -> tuple[str, ...]:
        return await asyncio.to_thread(waiting_lines, path, clock_s())

    return ask


def history_asker(folder: Path) -> Callable[[], Awaitable[History]]:
    """Ask for the whole ledger. A file is read again when its size or time changed.

    Whoever asks while it is being read waits for the files that are read already.

    The asker raises SourceAway while the folder or a file in it cannot be read.
    """
    known: dict[str, tuple[tuple[int, int], Told | Damaged]] = {}
    turn = Lock()

    def read() -> History:
        with turn:
            return read_anew()

    def read_anew() -> History:
        try:
            paths = sorted(
                (path for path in folder.glob("[0-9]*.json") if path.stem.isdecimal()),
                key=lambda path: int(path.stem),
            )
            for path in paths:
                at = path.stat()
                stamp = at.st_size, at.st_mtime_ns
                if path.name not in known or known[path.name][0] != stamp:
                    known[path.name] = stamp, told(int(path.stem), path.read_bytes())
        except OSError as exc:
            raise SourceAway(f"cannot be read ({exc.strerror or exc})") from exc
        links = [known[path.name][1] for path in paths]
        return History(
            tuple(link for link in links if isinstance(link, Told)),
            breaks(links),
            (links[-1].n, links[-1].hash) if links else None,
        )

    async def ask() -> History:
        return await asyncio.to_thread(read)

    return ask


def revision_asker(folder: Path) -> Callable[[int], Awaitable[Revision | None]]:
    """Ask for one revision as a whole; None where there is none of that number.

    The asker raises SourceAway while its file cannot be read, or is damaged.
    """

    def read(n: int) -> Revision | None:
        try:
            return from_json((folder / f"{n:06}.json").read_bytes())
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise SourceAway(f"cannot be read ({exc.strerror or exc})") from exc
        except DamagedRevision as exc:
            raise SourceAway(f"is damaged at revision {n}: {exc}") from exc

    async def ask(n: int) -> Revision | None:
        return await asyncio.to_thread(read, n)

    return ask
