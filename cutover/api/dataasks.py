"""Opens what the data half's pages are made of: the core's database and the evidence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

from cutover.api.datagather import DataAsks
from cutover.api.gather import SourceAway
from legacy_adapters.oscar.domains import DOMAINS
from legacy_adapters.ports.flips import FlipRecord, Noted
from legacy_adapters.storage.overlook import DomainLists, Overlook, SqlOverlook
from new_core.errors import StoreUnavailable
from new_core.storage.engine import database_url
from shadow_compare.core.drift_class import DriftClass
from shadow_compare.storage.engine import parse, reader_engine, sqlite_file
from shadow_compare.storage.reconcile_reading import DriftSheet, SqlDriftReader

T = TypeVar("T")
ROUTES = {domain.name: domain.routes for domain in DOMAINS}


class CoreAsks:
    """Asks the core's database; it never writes there and creates no file."""

    def __init__(self, url: str) -> None:
        """Begin without connections.

        Raises:
            InvalidValue: no usable URL.
        """
        parsed = database_url(url)
        self._file = sqlite_file(parsed)
        self._engine = reader_engine(parsed)
        self._overlook = SqlOverlook(self._engine)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    async def everything(self) -> Overlook:
        if self._is_absent():
            return Overlook(is_installed=False)
        return await _answer(self._overlook.everything)

    async def lists(self, domain: str, limit: int) -> DomainLists:
        return await _answer(lambda: self._overlook.lists(domain, limit))

    async def flip(self, number: int) -> tuple[FlipRecord, Sequence[Noted]] | None:
        if self._is_absent():
            return None
        return await _answer(lambda: self._overlook.flip(number))

    async def flips(self, since: datetime, limit: int) -> Sequence[FlipRecord]:
        if self._is_absent():
            return ()
        return await _answer(lambda: self._overlook.flips(since, limit))

    def _is_absent(self) -> bool:
        return self._file is not None and not self._file.is_file()


async def _answer(ask: Callable[[], Awaitable[T]]) -> T:
    try:
        return await ask()
    except StoreUnavailable as exc:
        raise SourceAway(f"does not answer ({exc})") from exc


@asynccontextmanager
async def open_data(core: str, evidence: str) -> AsyncIterator[DataAsks | None]:
    """How both are asked, until the block ends; None where no core's database is named.

    Raises:
        InvalidValue: no usable URL of the core's database.
        EvidenceUnavailable: no usable URL of the evidence.
    """
    if not core:
        yield None
        return
    drift = SqlDriftReader(parse(evidence))
    asks = CoreAsks(core)

    async def sheet(name: str, of: DriftClass | None, offset: int, limit: int) -> DriftSheet:
        return await drift.sheet(name, of, offset=offset, limit=limit)

    try:
        yield DataAsks(asks.everything, asks.lists, asks.flip, drift.standing, sheet, asks.flips)
    finally:
        await asks.close()
        await drift.close()
