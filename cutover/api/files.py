"""The two files the room reads: the table in force and the ledger of revisions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from cutover.api.gather import SourceAway
from cutover.api.readings import DAMAGED, RevisionLine, Table
from cutover.core.revision import DamagedRevision, from_json
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
