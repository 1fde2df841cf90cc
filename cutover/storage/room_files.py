"""What the control room keeps of its own: the key of its sessions, and those that ended."""

from __future__ import annotations

import contextlib
import json
import math
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from cutover.core.sessions import Ended, Seal, Session
from cutover.errors import CannotRead, CannotWrite
from cutover.storage.durable import reason_of, sync_folder, write_draft
from cutover.storage.turn import FileTurn

_KEY_BYTES = 32
_MOST_NAMES = 4_096
_WAIT_S, _BRIEFLY_S = 5.0, 0.5
#: Beside the digests: until when all sessions have ended.
_ALL = "all"


@dataclass(slots=True)
class RoomKey:
    """A file with the key that signs sessions. Without the file all of them end."""

    path: Path
    _seal: Seal | None = field(default=None, init=False)

    def seal(self) -> Seal:
        """The key's seal; the first call makes a key where there is none.

        Two rooms may begin at once: a key is linked into place, so one wins, whole, and
        both read that.

        Raises:
            CannotRead: the file holds no key.
            CannotWrite: none can be made.
        """
        if self._seal is None:
            if not self.path.exists():
                self._make()
            self._seal = Seal(self._read())
        return self._seal

    def _make(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft = write_draft(self.path, secrets.token_hex(_KEY_BYTES).encode(), mode=0o600)
            try:
                with contextlib.suppress(FileExistsError):
                    self.path.hardlink_to(draft)
            finally:
                draft.unlink()
            sync_folder(self.path.parent)
        except OSError as exc:
            raise CannotWrite(f"{self.path} cannot be written: {reason_of(exc)}") from exc

    def _read(self) -> bytes:
        try:
            key = bytes.fromhex(self.path.read_text("ascii").strip())
        except OSError as exc:
            raise CannotRead(f"{self.path} cannot be read: {reason_of(exc)}") from exc
        except ValueError:
            key = b""
        if len(key) != _KEY_BYTES:
            raise CannotRead(f"{self.path} holds no key; remove it, and everybody signs in anew")
        return key


@dataclass(slots=True)
class SignIns:
    """When people last signed in, for admins to look at. Nothing is decided by it."""

    path: Path

    def all(self) -> Mapping[str, float]:
        """Name to seconds since the epoch; nothing where the file is absent or damaged."""
        try:
            told = json.loads(self.path.read_bytes())
            return {str(name): float(at_s) for name, at_s in told.items()}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return {}

    def note(self, name: str, now_s: float) -> None:
        """Write down that somebody has come. Never raises: nobody is kept out for it."""
        with contextlib.suppress(OSError), _turn(self.path, _BRIEFLY_S) as mine:
            if mine:
                newest = sorted({**self.all(), name: now_s}.items(), key=itemgetter(1))
                _replace(self.path, dict(newest[-_MOST_NAMES:]))


@dataclass(slots=True)
class EndedSessions:
    """Sessions that were signed out before their time, in any room over the same folder.

    They outlive a restart, since the browser's cookie does. Holds digests only. Read again
    only when the file was replaced; a file that vanishes takes nothing back.
    """

    path: Path
    _stamp: tuple[int, int, int] | None = field(default=None, init=False)
    _known: Ended = field(default_factory=Ended, init=False)
    _unwritten: Ended = field(default_factory=Ended, init=False)
    _writing: threading.Lock = field(default_factory=threading.Lock, init=False)

    def has(self, session: Session) -> bool:
        """Whether a session was signed out. Raises CannotRead."""
        return self._unwritten.has(session) or self._read().has(session)

    def add(self, session: Session, now_s: float) -> None:
        """End a session, from this moment on.

        Raises:
            CannotRead: the file is damaged.
            CannotWrite: it has ended in this room only, and until a restart. The next one
                that can be written takes it along.
        """
        with self._writing:
            self._unwritten = self._unwritten.with_session(session, now_s)
            with _turn(self.path, _WAIT_S) as mine:
                if not mine:
                    raise CannotWrite(f"another room keeps writing {self.path}")
                fresh = self._read().and_all(self._unwritten, now_s)
                try:
                    _replace(self.path, {**fresh.until, _ALL: fresh.all_until_s})
                except OSError as exc:
                    raise CannotWrite(f"{self.path} cannot be written: {reason_of(exc)}") from exc
            self._known, self._unwritten = fresh, Ended()

    def _read(self) -> Ended:
        try:
            about = self.path.stat()
            stamp = (about.st_mtime_ns, about.st_ino, about.st_size)
            if stamp != self._stamp:
                self._known, self._stamp = _ended_in(self.path.read_bytes()), stamp
        except FileNotFoundError:
            self._stamp = None
        except OSError as exc:
            raise CannotRead(f"{self.path} cannot be read: {reason_of(exc)}") from exc
        except (ValueError, TypeError, AttributeError, RecursionError) as exc:
            self._stamp = None
            raise CannotRead(f"{self.path} is damaged; remove it and the room's key") from exc
        return self._known


def _ended_in(content: bytes) -> Ended:
    """Raises ValueError, TypeError, AttributeError, RecursionError: it is none of ours."""
    told = {str(kept): float(ends_s) for kept, ends_s in json.loads(content).items()}
    if not all(map(math.isfinite, told.values())):
        raise ValueError("no moment")
    all_until_s = told.pop(_ALL, 0.0)
    return Ended(told, all_until_s)


def _turn(path: Path, wait_s: float) -> AbstractContextManager[bool]:
    """The one writer of a file, over all rooms."""
    lock = path.with_name(f".{path.name}.lock")
    return FileTurn(lock, time.monotonic, time.sleep).take(wait_s=wait_s)


def _replace(path: Path, told: Mapping[str, object]) -> None:
    """Raises OSError; the old file stands then."""
    write_draft(path, json.dumps(told).encode(), mode=0o600).replace(path)
    sync_folder(path.parent)
