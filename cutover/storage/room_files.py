"""What the control room keeps of its own: the key of its sessions, and those that ended."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from cutover.core.sessions import Seal, Session, number_kept
from cutover.errors import CannotRead, CannotWrite
from cutover.storage.durable import reason_of, sync_folder, write_draft
from cutover.storage.turn import FileTurn

_KEY_BYTES = 32
_MOST_NAMES = 4_096
_WAIT_S = 5.0


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
        with contextlib.suppress(OSError), _turn(self.path) as mine:
            if mine:
                newest = sorted({**self.all(), name: now_s}.items(), key=itemgetter(1))
                _replace(self.path, dict(newest[-_MOST_NAMES:]))


@dataclass(slots=True)
class EndedSessions:
    """Sessions that were signed out before their time, until that time has come.

    They outlive a restart, since the browser's cookie does. Holds digests only.
    """

    path: Path
    _ended: dict[str, float] | None = field(default=None, init=False)
    _writing: threading.Lock = field(default_factory=threading.Lock, init=False)

    def has(self, session: Session) -> bool:
        """Whether a session was signed out. Raises CannotRead."""
        return number_kept(session.number) in self._known()

    def add(self, session: Session, now_s: float) -> None:
        """End a session, from this moment on. Raises CannotWrite: only until a restart."""
        with self._writing:
            left = {kept: ends for kept, ends in self._known().items() if ends > now_s}
            self._ended = {**left, number_kept(session.number): session.ends_s}
            content = json.dumps(self._ended).encode()
            try:
                write_draft(self.path, content, mode=0o600).replace(self.path)
                sync_folder(self.path.parent)
            except OSError as exc:
                raise CannotWrite(f"{self.path} cannot be written: {reason_of(exc)}") from exc

    def _known(self) -> dict[str, float]:
        if self._ended is None:
            try:
                told = json.loads(self.path.read_bytes())
                self._ended = {str(kept): float(ends) for kept, ends in told.items()}
            except FileNotFoundError:
                self._ended = {}
            except OSError as exc:
                raise CannotRead(f"{self.path} cannot be read: {reason_of(exc)}") from exc
            except (ValueError, TypeError, AttributeError) as exc:
                raise CannotRead(f"{self.path} is damaged; remove it and the room's key") from exc
        return self._ended


def _turn(path: Path) -> AbstractContextManager[bool]:
    """The one writer of a file, over all rooms."""
    lock = path.with_name(f".{path.name}.lock")
    return FileTurn(lock, time.monotonic, time.sleep).take(wait_s=_WAIT_S)


def _replace(path: Path, told: Mapping[str, object]) -> None:
    """Raises OSError; the old file stands then."""
    write_draft(path, json.dumps(told).encode(), mode=0o600).replace(path)
    sync_folder(path.parent)
