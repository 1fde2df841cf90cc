"""What is known of watched files, as one file: for the next look, for people, for pages."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cutover.core.watched_file import WAITING, Standing, Watched, sentence
from cutover.errors import CannotWrite
from cutover.storage.durable import reason_of, sync_folder, write_draft

#: Nobody watches when nobody looked for so long.
FRESH_S = 60.0


@dataclass(frozen=True, slots=True)
class WatchFile:
    """Implements service.file_watching.Notes for one watched file.

    Attributes:
        key: the watched file's whole path.
        name: what messages call it.
    """

    path: Path
    key: str
    name: str

    def read(self) -> Watched:
        found = read_watched(self.path).get(self.key)
        return Watched() if found is None else found[1]

    def write(self, watched: Watched) -> None:
        known = {**read_watched(self.path), self.key: (self.name, watched)}
        content = {"files": {key: _value(name, one) for key, (name, one) in known.items()}}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            text = (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
            write_draft(self.path, text).replace(self.path)
            sync_folder(self.path.parent)
        except OSError as exc:
            raise CannotWrite(f"{self.path} cannot be written: {reason_of(exc)}") from exc

    def is_looked_at(self) -> None:
        """Say that somebody watches. Never raises: it is only told to people."""
        with suppress(OSError):
            os.utime(self.path)


def read_watched(path: Path) -> Mapping[str, tuple[str, Watched]]:
    """Watched file's path to its name and what is known; nothing where that cannot be read."""
    try:
        told = json.loads(path.read_bytes())["files"]
        return {key: (str(one["file"]), _watched(one)) for key, one in told.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def watched_now(path: Path, now_s: float) -> Sequence[tuple[str, Watched]]:
    """Name and what is known of each watched file; nothing where nobody watches now."""
    try:
        is_fresh = now_s - path.stat().st_mtime <= FRESH_S
    except OSError:
        return ()
    return tuple(read_watched(path).values()) if is_fresh else ()


def watch_lines(path: Path, now_s: float) -> tuple[str, ...]:
    """How each watched file stands, a sentence each."""
    return tuple(sentence(name, watched) for name, watched in watched_now(path, now_s))


def waiting_lines(path: Path, now_s: float) -> tuple[str, ...]:
    """The same, of those that are not in force for a reason that a person should know."""
    found = watched_now(path, now_s)
    return tuple(sentence(name, one) for name, one in found if one.standing in WAITING)


def _value(name: str, watched: Watched) -> dict[str, Any]:
    since = watched.since
    told = {**asdict(watched), "since": None if since is None else since.isoformat()}
    return {"file": name, **told, "standing": str(watched.standing)}


def _watched(told: dict[str, Any]) -> Watched:
    since = told["since"]
    return Watched(
        handled=_digest(told["handled"]),
        n=int(told["n"]),
        pending=_digest(told["pending"]),
        since_n=int(told["since_n"]),
        over=_digest(told["over"]),
        standing=Standing(told["standing"]),
        told=str(told["told"]),
        since=None if since is None else datetime.fromisoformat(since),
    )


def _digest(told: object) -> str | None:
    return None if told is None else str(told)
