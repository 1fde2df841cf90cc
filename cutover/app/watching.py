"""Builds what watches a file, and keeps it watching."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from functools import partial
from pathlib import Path

from cutover import app
from cutover.core.watched_file import Standing, Watched, sentence
from cutover.edge.checkout import commit_of
from cutover.errors import CutoverError
from cutover.service.file_watching import FileWatching, Watch
from cutover.settings import WATCH_FILE, CutoverSettings
from cutover.storage.restage import reshare
from cutover.storage.turn import FileTurn
from cutover.storage.watch_file import WatchFile

EVERY_S = 1.0
ACTOR = "gitops"
_LOG = logging.getLogger(__name__)


def watch_notes(settings: CutoverSettings, file: Path) -> WatchFile:
    """What is known of a watched file; a link to it is another file."""
    return WatchFile(settings.var / WATCH_FILE, str(file.absolute()), str(file))


async def watch(settings: CutoverSettings, file: Path, actor: str = ACTOR) -> None:
    """Put a file in force whenever its content changes, until nobody wants it any more."""
    notes = watch_notes(settings, file)
    it = FileWatching(
        Watch(
            file=file,
            actor=actor,
            books=app.books(settings),
            notes=notes,
            turn=FileTurn(settings.var / "watch.lock", time.monotonic, time.sleep),
            reshare=reshare,
            open_evidence=app.evidence(settings),
            owners=partial(app.owners, settings),
            clock_s=time.monotonic,
            commit_of=commit_of,
        )
    )
    said: tuple[str | None, Standing] | None = None
    last = ""
    while True:
        problem = ""
        try:
            found = await it.look()
            if found is not None:
                notes.is_looked_at()
                said = _say(str(file), found, said)
        except CutoverError as exc:
            problem = str(exc)
        except Exception as exc:  # noqa: BLE001 - logged below
            # A room whose watch one odd file ends for good watches nothing.
            problem = f"{type(exc).__name__}: {exc}"
            if problem != last:
                _LOG.exception("watch: a look ended in a fault of its own; the next one comes")
                last = problem
        if problem and problem != last:
            _LOG.warning("watch: %s", problem)
        last = problem
        await asyncio.sleep(EVERY_S)


def _say(
    file: str, found: Watched, said: tuple[str | None, Standing] | None
) -> tuple[str | None, Standing]:
    """One line for each content and how it stands: a gate's figures move, and are no news."""
    now = found.pending or found.handled, found.standing
    if now != said and found.standing is not Standing.UNKNOWN:
        sys.stderr.write(f"watch: {sentence(file, found)}\n")
    return now
