"""The revisions as numbered files, each written once and chained by hash."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cutover.core.revision import GENESIS, Entry, Revision, link_hash, seal, to_json
from cutover.errors import CannotRead, CannotWrite
from cutover.storage.durable import reason_of, sweep_drafts, sync_folder, write_draft

_NAME = re.compile(r"(\d{6,9})\.json")
_LATEST = 5
_TRIES = 20


@dataclass(frozen=True, slots=True)
class RevisionFiles:
    """Implements ports.Ledger over a folder, which is made when it is first needed."""

    folder: Path

    def latest(self) -> list[tuple[int, bytes]]:
        return [(n, self._read(name)) for n, name in reversed(self._files()[-_LATEST:])]

    def links(self) -> list[tuple[int, bytes]]:
        return [(n, self._read(name)) for n, name in self._files()]

    def backwards(self) -> Iterator[tuple[int, bytes]]:
        for n, name in reversed(self._files()):
            yield n, self._read(name)

    def append(self, entry: Entry) -> Revision:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            sweep_drafts(self.folder)
            for _ in range(_TRIES):
                files = self._files()
                n = files[-1][0] + 1 if files else 1
                prev_hash = link_hash(self._read(files[-1][1])) if files else GENESIS
                revision = seal(n, entry, prev_hash)
                if self._create(revision):
                    return revision
        except OSError as exc:
            raise CannotWrite(f"{self.folder} cannot be written: {reason_of(exc)}") from exc
        except CannotRead as exc:
            raise CannotWrite(str(exc)) from exc
        raise CannotWrite(f"{self.folder} is being written by others without end")

    def withdraw(self, revision: Revision) -> None:
        with contextlib.suppress(OSError):
            self._path(revision.n).unlink(missing_ok=True)
            sync_folder(self.folder)

    def _create(self, revision: Revision) -> bool:
        """False when somebody else took the number since we looked."""
        path = self._path(revision.n)
        draft = write_draft(path, to_json(revision))
        try:
            # A link fails where the name is taken, as O_EXCL does, and unlike it never
            # shows a file that is not complete yet.
            path.hardlink_to(draft)
        except FileExistsError:
            return False
        except OSError:
            # No hard links on this file system: the name is claimed, then written.
            return self._claim(path, to_json(revision))
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(self.folder)
        return True

    def _claim(self, path: Path, content: bytes) -> bool:
        try:
            path.open("xb").close()
        except FileExistsError:
            return False
        draft = write_draft(path, content)
        draft.replace(path)
        sync_folder(self.folder)
        return True

    def _path(self, n: int) -> Path:
        return self.folder / f"{n:06}.json"

    def _files(self) -> list[tuple[int, str]]:
        """Number and name of each. A path made of every name would cost more than its listing."""
        try:
            with os.scandir(self.folder) as entries:
                names = [_NAME.fullmatch(entry.name) for entry in entries]
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise CannotRead(f"{self.folder} cannot be read: {reason_of(exc)}") from exc
        return sorted((int(found[1]), found[0]) for found in names if found)

    def _read(self, name: str) -> bytes:
        path = self.folder / name
        try:
            return path.read_bytes()
        except OSError as exc:
            raise CannotRead(f"{path} cannot be read: {reason_of(exc)}") from exc
