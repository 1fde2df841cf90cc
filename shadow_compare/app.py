"""Builds this package's objects. The only module here that others import to get one."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.ports import EvidenceReader, GroupKeeper, ProofStore
from shadow_compare.storage.engine import parse
from shadow_compare.storage.keeper import SqlGroupKeeper
from shadow_compare.storage.reader import SqlEvidenceReader

if TYPE_CHECKING:
    from shadow_compare.edge.bus_place import BusPlace
    from shadow_compare.edge.runner import Job
    from shadow_compare.storage.reconcile_books import SqlReconcileBooks


@asynccontextmanager
async def open_evidence(url: str) -> AsyncIterator[EvidenceReader]:
    """Read the evidence at an async SQLAlchemy URL (SQLite file or PostgreSQL).

    Opening creates nothing: a database that does not exist yet reads as empty evidence,
    and is found once the comparer has made it.

        async with open_evidence("sqlite+aiosqlite:///var/evidence.sqlite3") as evidence:
            print(await evidence.domain(table.domain("catalog")))

    Raises:
        EvidenceUnavailable: the URL names no supported database; also raised by the
            reader's methods when the store does not answer.
    """
    reader = SqlEvidenceReader(parse(url), time.time)  # noqa: TID251 - the edge's clock
    try:
        yield reader
    finally:
        await reader.close()


@asynccontextmanager
async def open_proof(url: str) -> AsyncIterator[ProofStore]:
    """Read the recorded pairs, uses of rules and drift of fields, and write the latter.

    Raises:
        EvidenceUnavailable: there is no evidence yet, or it does not answer.
    """
    from shadow_compare.storage.proof_store import SqlProofStore  # noqa: PLC0415 - few need it

    store = SqlProofStore(parse(url))
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def open_keeper(url: str) -> AsyncIterator[GroupKeeper]:
    """Move mismatch groups in the evidence at an async SQLAlchemy URL. Opening creates nothing.

    Raises:
        EvidenceUnavailable: the URL names no supported database.
    """
    keeper = SqlGroupKeeper(parse(url), time.time)  # noqa: TID251 - the edge's clock
    try:
        yield keeper
    finally:
        await keeper.close()


@asynccontextmanager
async def open_reconcile_books(url: str) -> AsyncIterator[SqlReconcileBooks]:
    """Read what reconciliation found, and move differences. Opening brings the tables up to
    date in a database that is there already.

    Raises:
        EvidenceUnavailable: there is no evidence yet, or it does not answer.
    """
    from shadow_compare.storage.engine import sqlite_file, writer_engine  # noqa: PLC0415
    from shadow_compare.storage.reconcile_books import SqlReconcileBooks  # noqa: PLC0415
    from shadow_compare.storage.schema import migrate  # noqa: PLC0415

    parsed = parse(url)
    if (file := sqlite_file(parsed)) is not None and not file.is_file():
        raise EvidenceUnavailable(f"there is no evidence at {file}; banyan reconcile makes it")
    engine = writer_engine(parsed)
    try:
        await migrate(engine)
        yield SqlReconcileBooks(engine, time.time)  # noqa: TID251 - the edge's clock
    finally:
        await engine.dispose()


async def run_comparer(job: Job, url: str) -> None:
    """Bring the evidence database up to date and compare; see `edge.runner.run`.

    Raises:
        EvidenceUnavailable: the database does not answer or is of a newer release.
    """
    from shadow_compare.edge.runner import run  # noqa: PLC0415 - readers need no HTTP client
    from shadow_compare.storage.engine import sqlite_file, writer_engine  # noqa: PLC0415
    from shadow_compare.storage.schema import migrate  # noqa: PLC0415
    from shadow_compare.storage.writer import SqlEvidenceWriter  # noqa: PLC0415

    parsed = parse(url)
    if (file := sqlite_file(parsed)) is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    engine = writer_engine(parsed)
    try:
        await migrate(engine)
        await run(job, SqlEvidenceWriter(engine, keep_s=job.keep_s))
    finally:
        await engine.dispose()


async def run_shipper(
    spool: Path, bus: BusPlace, *, once: bool = False, listen: tuple[str, int] | None = None
) -> None:
    """Move frames from a spool to a bus; see `edge.shipping.ship`."""
    from shadow_compare.edge.shipping import Load, ship  # noqa: PLC0415 - readers need no bus

    await ship(Load(spool, bus, once, listen))


def stand_back(nice: int) -> None:
    """Give way to other processes: shoppers first where there is too little CPU for all.

    Args:
        nice: 0 to 19. One that stands back farther already stays there.
    """
    own = os.getpriority(os.PRIO_PROCESS, 0)
    if nice > own:
        os.nice(nice - own)
