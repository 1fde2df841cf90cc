"""How far the reader is behind the writers, for whoever watches."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from proxy.core.frame import Frame
from proxy.storage.account import SPOOLED
from proxy.storage.runs import read_accounts, segment_path, segments
from proxy.storage.segments import START, Position, frames

_FILE = "reader.positions"
_READ_BYTES = 64 * 1024
_Published = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Lag:
    """What lies in the spool and was not done with when its reader last said so.

    Attributes:
        oldest_at_us: when the oldest of these exchanges ended, microseconds since the
            epoch; None when there is none.
    """

    unread_frames: int
    unread_bytes: int
    oldest_at_us: int | None


def publish(directory: Path, positions: Mapping[str, Position]) -> None:
    """Say how far a reader has come. A disk that refuses leaves the last word."""
    fresh = directory / f".{_FILE}"
    with contextlib.suppress(OSError):
        fresh.write_bytes(
            msgspec.json.encode({run: (at.segment, at.offset) for run, at in positions.items()})
        )
        fresh.replace(directory / _FILE)


def spool_lag(directory: Path) -> Lag:
    """Look at the first unread record of each run: a few system calls, no scan."""
    published = _published(directory)
    unread_frames = unread_bytes = 0
    oldest_at_us: int | None = None
    for run, account in read_accounts(directory).items():
        path = directory / run
        after = published.get(run, START)
        first = _first(path, after)
        if first is None:
            continue
        unread_frames += max(account.total(SPOOLED) - first.seq + 1, 1)
        unread_bytes += _bytes_behind(path, after)
        if oldest_at_us is None or first.at_us < oldest_at_us:
            oldest_at_us = first.at_us
    return Lag(unread_frames, unread_bytes, oldest_at_us)


def _published(directory: Path) -> dict[str, Position]:
    try:
        found = msgspec.json.decode((directory / _FILE).read_bytes(), type=_Published)
    except (OSError, msgspec.MsgspecError):
        return {}
    return {run: Position(*at) for run, at in found.items()}


def _first(run: Path, after: Position) -> Frame | None:
    return next((frame for _, frame in frames(run, after, _READ_BYTES) if frame is not None), None)


def _bytes_behind(run: Path, after: Position) -> int:
    total = 0
    for number in segments(run):
        if number >= after.segment:
            with contextlib.suppress(FileNotFoundError):  # released meanwhile
                total += os.stat(segment_path(run, number)).st_size  # noqa: PTH116 - a number
                total -= after.offset if number == after.segment else 0
    return total
