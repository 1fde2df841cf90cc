"""The table in force as one file, replaced by rename."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cutover.errors import CannotRead, CannotWrite, Conflict
from cutover.storage.durable import reason_of, sweep_drafts, sync_folder, write_draft

_MODE = 0o644  # proxies may run as another user


@dataclass(frozen=True, slots=True)
class AppliedFile:
    """Implements ports.AppliedTable."""

    path: Path

    @property
    def name(self) -> str:
        """The path, as messages show it."""
        return str(self.path)

    def read(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise CannotRead(f"{self.path} cannot be read: {reason_of(exc)}") from exc

    @contextmanager
    def draft(self, content: bytes) -> Iterator[AppliedDraft]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            sweep_drafts(self.path.parent)
            draft = write_draft(self.path, content)
        except OSError as exc:
            raise CannotWrite(f"{self.path} cannot be written: {reason_of(exc)}") from exc
        try:
            yield AppliedDraft(self, draft)
        finally:
            draft.unlink(missing_ok=True)

    def overwrite(self, content: bytes) -> None:
        try:
            # One write, then the cut: a reader in between meets good bytes with an old tail,
            # which does not load, and reads again 0.1 s later.
            with self.path.open("r+b", buffering=0) as file:
                file.write(content)
                file.truncate(len(content))
                os.fsync(file.fileno())
        except OSError as exc:
            raise CannotWrite(f"{self.path} cannot be written: {reason_of(exc)}") from exc


@dataclass(frozen=True, slots=True)
class AppliedDraft:
    """Implements ports.Draft."""

    applied: AppliedFile
    path: Path

    def put_in_force(self, *, instead_of: bytes | None) -> None:
        # 1. A rollback that did not wait for us put its table in force, 2. we come last.
        # Its table must stay, so what is there is compared once more, right before.
        if self.applied.read() != instead_of:
            raise Conflict(f"{self.applied.path} was changed meanwhile; try again")
        try:
            self.path.chmod(_MODE)
            self.path.replace(self.applied.path)
        except OSError as exc:
            message = f"{self.applied.path} cannot be replaced: {reason_of(exc)}"
            raise CannotWrite(message) from exc
        sync_folder(self.applied.path.parent)
