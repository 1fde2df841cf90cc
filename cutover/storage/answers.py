"""Answers that were given under a key, so that the same request is done once.

One file for each key. 1. It is written before the act, 2. the act is done, 3. the answer is
put into it. Whoever dies between 1 and 3 leaves a file without an answer, and the kernel
frees its lock: the same request, sent again, finds out from the ledger what was done.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cutover.errors import CannotRead, CannotWrite
from cutover.storage.durable import reason_of, sweep_drafts, sync_folder, write_draft

KEPT_S = 24 * 3_600
MOST = 10_000
_LOCK = "lock"


class KeyInUse(Exception):
    """A request with this key is at work right now."""


class KeyReused(Exception):
    """The key was used for another request."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a key.

    Attributes:
        fingerprint: of the request that it was used for.
        since: the newest revision before the act; 0 for none.
        said: what the act wants to know if it must be taken up again.
        status: None while there is no answer.
        is_resumed: an earlier request died before it could answer.
    """

    name: str
    fingerprint: str
    at_s: float
    since: int
    said: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    is_resumed: bool = False


class Answers:
    """The folder. Its methods block and may be called from any thread.

    Args:
        folder: made when it is first needed.
        now: aware time.
        newest: number of the newest revision; 0 for none.
    """

    def __init__(
        self, folder: Path, now: Callable[[], datetime], newest: Callable[[], int]
    ) -> None:
        self._folder = folder
        self._now = now
        self._newest = newest
        self._mutex = threading.Lock()
        self._at_work: set[str] = set()
        self._lock: int | None = None
        self._swept_s = float("-inf")

    def begin(self, name: str, fingerprint: str) -> Asked:
        """Take a key, or find its answer. What was taken is to be given back with `release`.

        `name` is 64 hexadecimal digits.

        Raises:
            KeyInUse: somebody has it.
            KeyReused: it was used for another request.
            CannotWrite, CannotRead: the folder is out of reach.
        """
        self._take(name)
        try:
            return self._begun(name, fingerprint)
        except BaseException:
            self.release(name)
            raise

    def _begun(self, name: str, fingerprint: str) -> Asked:
        known = self._read(name)
        if known is None:
            known = Asked(name, fingerprint, self._now().timestamp(), self._newest())
            self._write(known)
            return known
        if known.fingerprint != fingerprint:
            raise KeyReused
        return replace(known, is_resumed=known.status is None)

    def note(self, asked: Asked, said: Mapping[str, str]) -> Asked:
        """Keep what a resumed act wants to know. Raises CannotWrite."""
        noted = replace(asked, said=said)
        self._write(noted)
        return noted

    def finish(self, asked: Asked, status: int, headers: Mapping[str, str], body: str) -> None:
        """Keep the answer. Raises CannotWrite."""
        self._write(replace(asked, status=status, headers=headers, body=body))

    def forget(self, name: str) -> None:
        """Nothing was done: the key is free again."""
        with contextlib.suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def release(self, name: str) -> None:
        """Let others ask for the key."""
        with self._mutex:
            self._at_work.discard(name)
            if self._lock is not None:
                with contextlib.suppress(OSError):
                    fcntl.lockf(self._lock, fcntl.LOCK_UN, 1, _place(name))

    def _take(self, name: str) -> None:
        with self._mutex:
            if name in self._at_work:
                raise KeyInUse
            try:
                self._sweep()
                fcntl.lockf(self._opened(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(name))
            except BlockingIOError as exc:
                raise KeyInUse from exc
            except OSError as exc:
                raise CannotWrite(f"{self._folder} cannot be written: {reason_of(exc)}") from exc
            self._at_work.add(name)

    def _opened(self) -> int:
        if self._lock is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            # One descriptor for good: closing another one would free all locks of the process.
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._lock = os.open(self._folder / _LOCK, flags, 0o600)
        return self._lock

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _read(self, name: str) -> Asked | None:
        try:
            told: Any = json.loads(self._path(name).read_bytes())
            known = Asked(
                name=name,
                fingerprint=str(told["fingerprint"]),
                at_s=float(told["at_s"]),
                since=int(told["since"]),
                said=dict(told["said"]),
                status=None if told["status"] is None else int(told["status"]),
                headers=dict(told["headers"]),
                body=str(told["body"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise CannotRead(f"{self._path(name)} cannot be read: {exc}; remove it") from exc
        return known if self._now().timestamp() - known.at_s < KEPT_S else None

    def _write(self, asked: Asked) -> None:
        content = {
            "fingerprint": asked.fingerprint,
            "at_s": asked.at_s,
            "since": asked.since,
            "said": dict(asked.said),
            "status": asked.status,
            "headers": dict(asked.headers),
            "body": asked.body,
        }
        path = self._path(asked.name)
        try:
            put(path, json.dumps(content).encode(), self._now())
        except OSError as exc:
            raise CannotWrite(f"{path} cannot be written: {reason_of(exc)}") from exc

    def _sweep(self) -> None:
        """Once an hour: what is too old goes, and what is too much, oldest first."""
        now_s = self._now().timestamp()
        if now_s - self._swept_s < 3_600 or not self._folder.exists():
            return
        self._swept_s = now_s
        sweep_drafts(self._folder)
        prune(self._folder, older_than_s=now_s - KEPT_S, most=MOST)


def put(path: Path, content: bytes, at: datetime) -> None:
    """Write a file whole, over an older one; it is as old as the given time. Raises OSError."""
    draft = write_draft(path, content)
    os.utime(draft, (at.timestamp(), at.timestamp()))
    draft.replace(path)
    sync_folder(path.parent)


def prune(folder: Path, *, older_than_s: float, most: int) -> None:
    """Remove the JSON files of a folder that are too old, or too many."""
    ages = []
    for path in folder.glob("*.json"):
        with contextlib.suppress(OSError):
            ages.append((path.stat().st_mtime, path))
    ages.sort(reverse=True)
    for at, (written_s, path) in enumerate(ages):
        if at >= most or written_s < older_than_s:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _place(name: str) -> int:
    """The byte of the lock file that stands for a key: one of 2^60."""
    return int(name[:15], 16)
