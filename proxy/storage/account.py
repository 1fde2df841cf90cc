"""Named counters of one worker's life, in a memory-mapped file.

A plain store into shared memory costs the shopper's path some forty nanoseconds and
outlives `kill -9`: the pages belong to the kernel, not to the process. It does not
outlive a power cut, and need not: the frames it counts would not either.

    account = Account.create(path)
    slot = account.slot(counter_name("mirrored", "catalog", "GET /api/products/"))
    account.values[slot] += 1
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from proxy.errors import ProxyError

MIRRORED = "mirrored"
SPOOLED = "spooled"
DROPPED = "dropped"

_MAGIC = b"BNYACCT1"
_HEADER_BYTES = 4_096
_SLOTS = 65_536
_VALUES_BYTES = 8 * _SLOTS
_NAMES_AT = _HEADER_BYTES + _VALUES_BYTES
_FILE_BYTES = _NAMES_AT + 16 * 1024 * 1024
_USED_INDEX = 1  # the file's second 64-bit word
_NOTE = struct.Struct("<II")
_NOTE_AT = 16
_NOTE_MAX_BYTES = _HEADER_BYTES - _NOTE_AT - _NOTE.size
_LENGTH = struct.Struct("<H")
_OVERFLOW = "account_overflow"


class AccountError(ProxyError):
    """The file is not an account of this version."""


@dataclass(frozen=True, slots=True)
class RunAccount:
    """What one worker's life counted.

    Attributes:
        alive: its worker still holds the run's lock.
        counters: name to value, see `counter_name`.
        note: what the worker last said about itself (JSON text), "" when nothing.
    """

    alive: bool
    counters: Mapping[str, int]
    note: str = ""

    def total(self, kind: str) -> int:
        """Sum over all counters of one kind, such as "mirrored"."""
        prefix = f"{kind}|"
        return sum(n for name, n in self.counters.items() if name.startswith(prefix))

    @property
    def pending(self) -> int:
        """Mirrored exchanges with no end yet: in flight or queued; lost when the run is dead."""
        return self.total(MIRRORED) - self.total(SPOOLED) - self.total(DROPPED)


def counter_name(kind: str, *labels: str) -> str:
    """Join a kind and its labels; `|` inside a label is written %7C."""
    return "|".join((kind, *(label.replace("|", "%7C") for label in labels)))


def split_name(name: str) -> tuple[str, tuple[str, ...]]:
    """Undo `counter_name`: the kind, and the labels."""
    kind, *labels = name.split("|")
    return kind, tuple(label.replace("%7C", "|") for label in labels)


class Account:
    """The writing end, owned by one process.

    Any thread may ask for a slot. Each counter is incremented by one thread only:
    `values[slot] += 1` reads, adds and stores, and two threads would lose counts.

    Attributes:
        values: int64 view, indexed by slot.
    """

    def __init__(self, file: mmap.mmap) -> None:
        self._map = file
        self.values = memoryview(file)[_HEADER_BYTES:_NAMES_AT].cast("q")
        self._lock = threading.Lock()
        self._header = memoryview(file)[:_HEADER_BYTES].cast("q")
        names, self._names_end = _names(file, self._header[_USED_INDEX])
        self._slots = {name: slot for slot, name in enumerate(names)}

    @classmethod
    def create(cls, path: Path) -> Account:
        """Make an empty account.

        The file is sparse: it takes the pages that are written.

        Raises:
            FileExistsError: there is one already.
        """
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.ftruncate(fd, _FILE_BYTES)
            file = mmap.mmap(fd, _FILE_BYTES)
        finally:
            os.close(fd)
        file[:8] = _MAGIC
        account = cls(file)
        account.slot(_OVERFLOW)
        return account

    @classmethod
    def open(cls, path: Path) -> Account:
        """Take over the account of a dead run, to put its last counts right.

        Raises:
            AccountError: the file is none of ours.
        """
        fd = os.open(path, os.O_RDWR)
        try:
            _check(path, fd)
            return cls(mmap.mmap(fd, _FILE_BYTES))
        finally:
            os.close(fd)

    def slot(self, name: str) -> int:
        """Give the counter's index, making it on first use.

        When all 65,536 slots are taken, the overflow counter's index is given: counts
        are then wrong in detail, never in effect.
        """
        known = self._slots.get(name)
        if known is not None:
            return known
        with self._lock:
            return self._slots[name] if name in self._slots else self._append(name)

    def add(self, name: str, count: int = 1) -> None:
        """Increment a counter by name; for paths where a dictionary look-up is no matter."""
        self.values[self.slot(name)] += count

    def note(self, text: str) -> None:
        """Publish a short text about this process, cut to 4 kB."""
        data = text.encode()[:_NOTE_MAX_BYTES]
        start = _NOTE_AT + _NOTE.size
        self._map[start : start + len(data)] = data
        _NOTE.pack_into(self._map, _NOTE_AT, zlib.crc32(data), len(data))

    def close(self) -> None:
        """Unmap. The file stays."""
        self.values.release()
        self._header.release()
        self._map.close()

    def _append(self, name: str) -> int:
        data = name.encode()
        start = self._names_end + _LENGTH.size
        slot = self._header[_USED_INDEX]
        if slot == _SLOTS or start + len(data) > _FILE_BYTES:
            return 0
        # 1. the name is written, 2. the count of names is raised, in one 64-bit store.
        # Killed between the two, or read between the two, the half-made counter does
        # not exist.
        _LENGTH.pack_into(self._map, self._names_end, len(data))
        self._map[start : start + len(data)] = data
        self._names_end = start + len(data)
        self._header[_USED_INDEX] = slot + 1
        self._slots[name] = slot
        return slot


def read_account(path: Path) -> tuple[dict[str, int], str]:
    """Read counters and note, while the owner goes on counting.

    Raises:
        AccountError: the file is none of ours.
        FileNotFoundError: there is none.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        _check(path, fd)
        with mmap.mmap(fd, _FILE_BYTES, access=mmap.ACCESS_READ) as file:
            names, _ = _names(file, _words(file, 0, _USED_INDEX + 1)[_USED_INDEX])
            first, second = (_words(file, _HEADER_BYTES, len(names)) for _ in range(2))
            note = _read_note(file)
    finally:
        os.close(fd)
    # A frame is counted as mirrored first, as spooled or dropped later. Were all three
    # taken at once: 1. mirrored is copied, 2. a frame is mirrored and dropped, 3. dropped
    # is copied: more ended than began. Taking mirrored last, it can only be ahead.
    counters = {
        name: (second if name.startswith("mirrored|") else first)[slot]
        for slot, name in enumerate(names)
    }
    if not counters.get(_OVERFLOW):
        counters.pop(_OVERFLOW, None)
    return counters, note


def _check(path: Path, fd: int) -> None:
    if os.fstat(fd).st_size != _FILE_BYTES or os.pread(fd, 8, 0) != _MAGIC:
        raise AccountError(f"{path} is not an account of this version")


def _words(file: mmap.mmap, at: int, count: int) -> list[int]:
    """Copy native 64-bit words one by one; `struct` would read byte by byte and tear them."""
    with memoryview(file) as view, view[at : at + 8 * count] as part, part.cast("q") as words:
        return words.tolist()


def _names(file: mmap.mmap, used: int) -> tuple[list[str], int]:
    """The first `used` names in slot order, and where the next one goes."""
    names = []
    at = _NAMES_AT
    for _ in range(used):
        (length,) = _LENGTH.unpack_from(file, at)
        at += _LENGTH.size
        names.append(file[at : at + length].decode())
        at += length
    return names, at


def _read_note(file: mmap.mmap) -> str:
    """The note, or "" when its owner was in the middle of writing it, three times over."""
    start = _NOTE_AT + _NOTE.size
    for _ in range(3):
        crc, length = _NOTE.unpack_from(file, _NOTE_AT)
        data = file[start : start + min(length, _NOTE_MAX_BYTES)]
        if length and zlib.crc32(data) == crc:
            return data.decode(errors="replace")
    return ""
