"""Write files so that neither a reader nor a crash ever meets half of one."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

_DRAFT = ".draft"


def write_draft(beside: Path, content: bytes, *, mode: int = 0o666) -> Path:
    """Write a complete, synced file in the folder of `beside`; its name names the writer.

    `mode` is what others may do with it, less what the process's mask takes away. Raises
    OSError; nothing is left behind then.
    """
    draft = beside.parent / f".{beside.name}.{os.getpid()}.{secrets.token_hex(4)}{_DRAFT}"
    try:
        with open(draft, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    return draft


def sync_folder(folder: Path) -> None:
    """Make renames and links in a folder outlive the power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep_drafts(folder: Path) -> None:
    """Remove drafts whose writer died before it could. Never raises: it is only tidying."""
    with contextlib.suppress(OSError):
        for draft in folder.glob(f".*{_DRAFT}"):
            pid = draft.name.split(".")[-3]
            if pid.isdecimal() and not _is_alive(int(pid)):
                draft.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def reason_of(exc: OSError) -> str:
    """The system's words, without number and path."""
    return (exc.strerror or str(exc)).lower()
