"""The kill file on disk: killing appends, releasing replaces, workers look at it.

add_kill(Path("var/kill"), parse_kill("domain:cart"))
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass
from pathlib import Path

from proxy.routing import Kill, KillError, parse_kill

MAX_BYTES = 64 * 1024
_LOOKS_AFTER_CHANGE = 2


NOTHING = Kill()
ALL = Kill(everything=True)


@dataclass(frozen=True, slots=True)
class KillFile:
    """What the file says now: an empty kill when it is not there.

    Attributes:
        problem: why it kills everything without saying so, None when it is right.
    """

    kill: Kill = NOTHING
    problem: str | None = None


def understood(content: bytes) -> KillFile:
    """What the bytes of a kill file say. Total.

    A file without a scope kills all, so that `touch` is enough. So does one that cannot
    be understood: whoever wrote it wanted something killed, and legacy is the safe side.
    """
    if len(content) > MAX_BYTES:
        return KillFile(ALL, "the kill file is too large, so everything is killed")
    try:
        return KillFile(parse_kill(content.decode("utf-8-sig")) or ALL)
    except UnicodeDecodeError:
        return KillFile(ALL, "the kill file is not text, so everything is killed")
    except KillError as exc:
        return KillFile(ALL, f"the kill file cannot be understood, so everything is killed: {exc}")


def read_kill(path: Path) -> KillFile:
    """Read the file. Never raises: what cannot be read kills all."""
    try:
        with path.open("rb") as file:
            return understood(file.read(MAX_BYTES + 1))
    except (FileNotFoundError, NotADirectoryError):
        return KillFile()
    except OSError as exc:
        problem = f"the kill file {path} cannot be read ({exc.strerror}), so everything is killed"
        return KillFile(ALL, problem)


def add_kill(path: Path, kill: Kill) -> None:
    """Kill. What stands in the file, and what others write at the same time, stays.

    Raises:
        OSError: the file cannot be written.
    """
    text = _text(kill)
    while not (_begin(path, text) or _append(path, text)):
        pass


def remove_kill(path: Path, released: Kill | None = None) -> Kill:
    """Release these scopes, or all; give what remains. The file goes with the last of them.

    Raises:
        OSError: the file cannot be changed.
    """
    # Others may kill at the same time, by appending, and must not be lost:
    # 1. we read the old file, 2. another appends to it, 3. we put the new one in its
    # place. So the old one, which we still hold open, is read once more; what has come
    # is appended to the new. Whoever appends after that sees by the file's number that
    # it is not the one in place any more, and appends again.
    try:
        old = path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        return Kill()
    with old:
        before = understood(old.read(MAX_BYTES)).kill
        gone = before.scopes if released is None else released.scopes
        remain = parse_kill(" ".join(scope for scope in before.scopes if scope not in gone))
        if remain:
            _written(path, _text(remain)).replace(path)
        else:
            path.unlink(missing_ok=True)
        late = old.read(MAX_BYTES)
    if late.strip():
        add_kill(path, understood(late).kill)
    return read_kill(path).kill


class KillWatcher:
    """Notices changes of the file. Belongs to one task."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._looks = 0

    def is_due(self) -> bool:
        """True when the file looks other than at the last read. One stat, microseconds."""
        return self._looks > 0 or self._signature() != self._seen

    def read(self) -> KillFile:
        """Read it."""
        # The signature is taken before the bytes: a change in between is seen next time.
        # Two more looks follow a change, as a file system's clock ticks coarsely.
        signature = self._signature()
        self._looks = self._looks - 1 if signature == self._seen else _LOOKS_AFTER_CHANGE
        self._seen = signature
        return read_kill(self._path)

    def _signature(self) -> tuple[int, ...]:
        try:
            stat = self._path.stat()
        except OSError as exc:
            return (exc.errno or 0,)
        return stat.st_mtime_ns, stat.st_ino, stat.st_size, stat.st_mode


def _text(kill: Kill) -> bytes:
    return "".join(f"{scope}\n" for scope in kill.scopes).encode()


def _begin(path: Path, text: bytes) -> bool:
    """Make the file, with its scopes in it from the start. False when there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = _written(path, text)
    try:
        # A file that is made first and written then is empty for a moment: all killed.
        os.link(fresh, path)
    except FileExistsError:
        return False
    finally:
        fresh.unlink()
    return True


def _append(path: Path, text: bytes) -> bool:
    """Add scopes to the file in place. False when it was replaced meanwhile."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        return False
    try:
        size = os.fstat(fd).st_size
        is_cut = size and os.pread(fd, 1, size - 1) != b"\n"
        data = b"\n" + text if is_cut else text
        if not size:
            return True  # an empty file kills all: with a scope it would kill less
        if os.write(fd, data) != len(data):
            raise OSError(errno.ENOSPC, "the disk is full", str(path))
        os.fsync(fd)
        with contextlib.suppress(FileNotFoundError):
            return path.stat().st_ino == os.fstat(fd).st_ino
        return False
    finally:
        os.close(fd)


def _written(path: Path, content: bytes) -> Path:
    """A file beside `path` with this content, safe on disk."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with fresh.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    return fresh
