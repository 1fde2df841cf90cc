"""A SQLite file: connections for capture, and what its errors mean to us."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from legacy_adapters.errors import SourceUnavailable, SourceUnfit

_UNFIT = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_ERROR)


def file_of(text: str) -> Path:
    """The file of a path or of a URL, e.g. sqlite:///var/shop.sqlite3.

    Raises:
        SourceUnfit: a URL of another database, or one without a file.
    """
    if "://" not in text:
        return Path(text)
    try:
        url = make_url(text)
    except ArgumentError as exc:
        raise SourceUnfit(f"{text!r} is no database URL") from exc
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        raise SourceUnfit(f"{text!r} is no file of SQLite")
    return Path(str(url.database))


def opened(path: Path, *, writes: bool, wait_s: float) -> sqlite3.Connection:
    """A connection in autocommit that any thread may use, one at a time.

    Cells that are text come as bytes: whoever knows the column says what they are.

    Raises:
        SourceUnavailable, SourceUnfit: as `translating` says.
    """
    if not path.is_file():
        raise SourceUnavailable(f"there is no database file {path}")
    with translating():
        connection = sqlite3.connect(
            f"file:{path.resolve()}?mode=rw",
            uri=True,
            timeout=wait_s,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.text_factory = bytes
        if not writes:
            connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def translating() -> Iterator[None]:
    """Errors of SQLite in the block come as ours.

    Raises:
        SourceUnavailable: locked, or the disk does not answer.
        SourceUnfit: no database, or not what the statement expects.
    """
    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
        if code in _UNFIT or isinstance(exc, sqlite3.ProgrammingError):
            raise SourceUnfit(str(exc)) from exc
        raise SourceUnavailable(str(exc)) from exc


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction with the write lock from its beginning; undone when the block fails."""
    with translating():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


@contextmanager
def one_reader(path: Path) -> Iterator[None]:
    """Nobody else reads the log of this file in the block; the end of a process ends it too.

    Raises:
        SourceUnavailable: somebody does.
    """
    with Path(f"{path}.mig-reader").open("wb") as lock:
        _take(lock, path)
        yield


def _take(lock: IO[bytes], path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        raise SourceUnavailable(f"another reader is at the log of {path}") from exc
