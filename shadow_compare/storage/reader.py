"""Answers what gates, pages and the command line ask of the evidence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from proxy.routing.model import Domain
from shadow_compare.core.evidence import (
    Answered,
    DomainEvidence,
    DomainReading,
    Example,
    MismatchGroup,
)
from shadow_compare.core.groups import GroupQuery, GroupStory, Kept
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.storage.answered_reader import answered_of
from shadow_compare.storage.domain_readings import Most, nothing, read_domains, read_evidence
from shadow_compare.storage.engine import reader_engine, sqlite_file
from shadow_compare.storage.groups_reader import (
    examples_between,
    find_groups,
    one_group,
    story_of,
)
from shadow_compare.storage.schema import current_revision, head_revision


class SqlEvidenceReader:
    """Implements ports.EvidenceReader over SQLite or PostgreSQL.

    It never writes and never creates a file: a store that is not there yet is empty
    evidence. Safe to share between tasks of one event loop.
    """

    def __init__(self, url: URL, now_s: Callable[[], float]) -> None:
        self._url = url
        self._file = sqlite_file(url)
        self._file_id: tuple[int, int] | None = None
        self._now_s = now_s
        self._engine: AsyncEngine | None = None
        self._checked = False
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    async def domain(self, domain: Domain) -> DomainEvidence:
        async with self._open() as connection:
            if connection is None:
                return nothing(domain).evidence
            return (await read_evidence(connection, [domain], self._now_s()))[domain.name]

    async def readings(
        self, domains: Sequence[Domain], *, points: int, groups: int
    ) -> Mapping[str, DomainReading]:
        async with self._open() as connection:
            if connection is None or not domains:
                return {domain.name: nothing(domain) for domain in domains}
            return await read_domains(connection, domains, Most(points, groups), self._now_s())

    async def answered(self, domain: str) -> Sequence[Answered]:
        async with self._open() as connection:
            return () if connection is None else await answered_of(connection, domain)

    async def groups(
        self, domain: str | None = None, *, current_only: bool = True, limit: int = 50
    ) -> Sequence[MismatchGroup]:
        query = GroupQuery(domain=domain, current_only=current_only, limit=limit)
        return await self.find(query)

    async def find(self, query: GroupQuery) -> Sequence[MismatchGroup]:
        async with self._open() as connection:
            if connection is None:
                return ()
            return await find_groups(connection, query, self._now_s())

    async def group(self, fingerprint: str) -> tuple[MismatchGroup, Sequence[Example]] | None:
        async with self._open() as connection:
            if connection is None:
                return None
            return await one_group(connection, fingerprint, self._now_s())

    async def story(self, fingerprint: str) -> GroupStory:
        async with self._open() as connection:
            if connection is None:
                return GroupStory()
            return await story_of(connection, fingerprint, self._now_s())

    async def examples(
        self, domain: str | None, from_s: float, to_s: float, *, limit: int
    ) -> Sequence[Kept]:
        async with self._open() as connection:
            if connection is None:
                return ()
            return await examples_between(connection, domain, (from_s, to_s), limit)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[AsyncConnection | None]:
        """A connection, or None while there is no evidence."""
        try:
            engine = await self._ready_engine()
            if engine is None:
                yield None
                return
            async with engine.connect() as connection:
                yield connection if await self._holds_evidence(connection) else None
        except (SQLAlchemyError, OSError) as exc:
            self._checked = False
            raise EvidenceUnavailable(f"the evidence store did not answer: {exc}") from exc

    async def _ready_engine(self) -> AsyncEngine | None:
        async with self._opening:
            if self._file is not None and not await self._same_file():
                await self.close()
                self._checked = False
            if self._file is not None and self._file_id is None:
                return None
            if self._engine is None:
                self._engine = reader_engine(self._url)
            return self._engine

    async def _same_file(self) -> bool:
        """Whether the file is the one that the connections are open on.

        Someone who starts over deletes the file; open connections would go on answering
        from the deleted one.
        """
        file = self._file
        if file is None:
            return True
        try:
            status = await asyncio.to_thread(file.stat)
        except FileNotFoundError:
            found = None
        else:
            found = (status.st_dev, status.st_ino) if status.st_size else None
        same = found == self._file_id
        self._file_id = found
        return same

    async def _holds_evidence(self, connection: AsyncConnection) -> bool:
        if self._checked:
            return True
        revision = await connection.run_sync(current_revision)
        if revision is None:
            return False
        if revision != head_revision():
            raise EvidenceUnavailable(
                f"the evidence is at revision {revision}, this release reads {head_revision()};"
                " start the comparer of the newer release once to upgrade it"
            )
        self._checked = True
        return True
