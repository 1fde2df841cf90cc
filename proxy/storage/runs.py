"""The spool directory: one folder per worker life, alive as long as its lock is held."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from proxy.storage.account import (
    DROPPED,
    MIRRORED,
    SPOOLED,
    Account,
    AccountError,
    RunAccount,
    read_account,
)

ACCOUNT = "account"
ALIVE = "alive"
KEY_FILE = "redaction.key"
SEALING_FILE = "sealing.key"
_HALF_MADE_S = 60.0


def segment_path(run: Path, number: int) -> Path:
    """Segments are numbered from 1."""
    return run / f"{number:06d}.seg"


def segments(run: Path) -> list[int]:
    """Numbers of the run's segments, ascending; empty when the run is gone."""
    try:
        return sorted(int(path.stem) for path in run.iterdir() if path.suffix == ".seg")
    except FileNotFoundError:
        return []


def runs(directory: Path) -> list[Path]:
    """Folders of all runs, oldest first: a run's name starts with its time."""
    try:
        found = [path for path in directory.iterdir() if not path.name.startswith(".")]
    except FileNotFoundError:
        return []
    return sorted(path for path in found if (path / ALIVE).exists())


def spool_bytes(directory: Path) -> int:
    """Size of all segments of all runs."""
    total = 0
    for run in runs(directory):
        for number in segments(run):
            with contextlib.suppress(FileNotFoundError):  # released meanwhile
                total += segment_path(run, number).stat().st_size
    return total


def begin_run(directory: Path, run: str) -> tuple[int, Account]:
    """Make the folder of a new run and hold its lock.

    Returns:
        The lock's file descriptor, to be kept open for the worker's life, and the account.

    Raises:
        OSError: the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # 1. made under a name that no reader looks at, 2. locked, 3. renamed. A reader that
    # came between making and locking would take a run that begins for one that died.
    half_made = directory / f".{run}"
    half_made.mkdir()
    lock = os.open(half_made / ALIVE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    account = Account.create(half_made / ACCOUNT)
    half_made.rename(directory / run)
    return lock, account


def is_alive(run: Path) -> bool:
    """Whether a worker holds the run's lock. A run that is gone is not alive."""
    try:
        fd = os.open(run / ALIVE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def read_accounts(directory: Path) -> Mapping[str, RunAccount]:
    """Every run's counters as they stand, without holding the spool.

    A run that was killed may have written a few frames that it did not come to count;
    `SpoolReader.accounts` puts that right, this function only looks.
    """
    found = {}
    for run in runs(directory):
        alive = is_alive(run)
        with contextlib.suppress(FileNotFoundError, AccountError):
            counters, note = read_account(run / ACCOUNT)
            found[run.name] = RunAccount(alive, counters, note)
    return found


def remove_run(run: Path) -> None:
    """Delete a run's folder; a reader that comes meanwhile sees all of it or nothing."""
    gone = run.with_name(f".{run.name}.gone")
    run.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def sweep(directory: Path) -> None:
    """Remove what nobody will ask for: dead runs that mirrored nothing, half-made folders."""
    for name, account in read_accounts(directory).items():
        ends = (MIRRORED, SPOOLED, DROPPED)
        if not account.alive and not any(account.total(kind) for kind in ends):
            with contextlib.suppress(FileNotFoundError):
                remove_run(directory / name)
    for path in _hidden(directory):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _HALF_MADE_S:  # noqa: TID251 - file times
                shutil.rmtree(path, ignore_errors=True)


def redaction_key(directory: Path) -> bytes:
    """The spool's own redaction key: 32 random bytes, made once, readable by the owner.

    Raises:
        OSError: the directory cannot be written or the key cannot be read.
    """
    return _key(directory, KEY_FILE)


def sealing_key(directory: Path) -> bytes:
    """The key of sealed credentials, as `redaction_key`: who has it can open them.

    Raises:
        OSError: the directory cannot be written or the key cannot be read.
    """
    return _key(directory, SEALING_FILE)


def _key(directory: Path, name: str) -> bytes:
    path = directory / name
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        fresh = directory / f".{name}.{secrets.token_hex(4)}"
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(secrets.token_bytes(32))
        # Two workers that start together both come here; the link of one of them fails,
        # and both read the winner's key.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)
        fresh.unlink()
    return path.read_bytes()


def _hidden(directory: Path) -> Iterator[Path]:
    return (path for path in directory.glob(".*") if path.is_dir() and not is_alive(path))
