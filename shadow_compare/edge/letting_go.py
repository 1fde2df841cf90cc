"""Prune and purge: what the commands do, and what they say."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from proxy.errors import SpoolBusy
from proxy.storage import empty_frames
from proxy.storage.runs import KEY_FILE
from shadow_compare.core.subject import Subject, spellings
from shadow_compare.errors import CompareError, EvidenceUnavailable
from shadow_compare.storage.engine import parse, sqlite_file, writer_engine
from shadow_compare.storage.retention import SqlRetention

DAY_S = 24 * 3600.0
_LEAST_CHARS = 3


class NothingToFindError(CompareError):
    """There is no value, or no key, by which a person could be found."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where something is kept: the evidence's URL and the spool's directory."""

    database: str
    spool: Path


def known_keys(given: Iterable[str], spool: Path) -> tuple[bytes, ...]:
    """Every redaction key that is known here: those of the settings, apart by commas, the
    spool's own, and its earlier ones, `redaction.key.ANYTHING`.

    Raises:
        NothingToFindError: there is none.
        OSError: one cannot be read.
    """
    keys = {part.encode() for text in given for part in (text, *text.split(",")) if part}
    keys |= {path.read_bytes() for path in sorted(spool.glob(f"{KEY_FILE}*"))}
    if not keys:
        fix = "Name the spool with --spool, or set BANYAN_REDACTION_KEY."
        raise NothingToFindError(f"no redaction key is known here. {fix}")
    return tuple(sorted(keys))


def prune_evidence(url: str, days: float, *, dry_run: bool) -> None:
    """Delete what is older than so many days and say how much.

    Raises:
        EvidenceUnavailable: the database does not answer.
    """
    before_s = time.time() - days * DAY_S  # noqa: TID251 - the edge's clock

    async def prune() -> Mapping[str, int]:
        async with _open(url) as retention:
            return await retention.prune(before_s, dry_run=dry_run)

    _say(asyncio.run(prune()), dry_run=dry_run)


def purge_subject(value: str, keys: tuple[bytes, ...], places: Places, *, dry_run: bool) -> None:
    """Delete what is kept of whoever this value belongs to and say how much.

    The spool comes first, and its lock is needed: 1. a comparer has a frame in its hands,
    2. the evidence is purged, 3. the comparer stores an example made of that frame.

    Raises:
        NothingToFindError: the value is too short to be anybody's.
        SpoolBusy: a comparer reads the spool.
        EvidenceUnavailable: the database does not answer.
    """
    if max(map(len, spellings(value)), default=0) == 0 or len(value.strip()) < _LEAST_CHARS:
        raise NothingToFindError("a subject has three characters or more")
    subject = Subject(value, keys)
    try:
        frames = empty_frames(places.spool, subject.is_in, dry_run=dry_run)
    except SpoolBusy as exc:
        fix = "Stop it (SIGTERM lets its batch end), purge, and start it again."
        raise SpoolBusy(f"a comparer reads {places.spool}. {fix}") from exc

    async def purge() -> Mapping[str, int]:
        async with _open(places.database) as retention:
            return await retention.purge(subject.is_in, dry_run=dry_run)

    _say({"frames in the spool": frames} | dict(asyncio.run(purge())), dry_run=dry_run)


@asynccontextmanager
async def _open(url: str) -> AsyncIterator[SqlRetention]:
    parsed = parse(url)
    if (file := sqlite_file(parsed)) is not None and not file.exists():
        raise EvidenceUnavailable(f"there is no evidence at {file}")
    engine = writer_engine(parsed)
    try:
        yield SqlRetention(engine)
    finally:
        await engine.dispose()


def _say(deleted: Mapping[str, int], *, dry_run: bool) -> None:
    sys.stdout.write("Would delete:\n" if dry_run else "Deleted:\n")
    for name, count in deleted.items():
        sys.stdout.write(f"  {name.replace('_', ' ')}: {count:,}\n")
