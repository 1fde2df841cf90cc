"""Moves groups for people, in the evidence database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shadow_compare.core.evidence import MismatchGroup
from shadow_compare.core.life import Wish, as_of, granted, problem_with
from shadow_compare.errors import EvidenceUnavailable, NoSuchGroup, WishRefused
from shadow_compare.storage import lives
from shadow_compare.storage.engine import sqlite_file, writer_engine
from shadow_compare.storage.groups_reader import one_group
from shadow_compare.storage.schema import current_revision, head_revision


class SqlGroupKeeper:
    """Implements ports.GroupKeeper. It makes no database and upgrades none."""

    def __init__(self, url: URL, now_s: Callable[[], float]) -> None:
        self._url = url
        self._now_s = now_s
        self._engine: AsyncEngine | None = None

    async def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    async def grant(self, fingerprint: str, wish: Wish) -> MismatchGroup:
        file = sqlite_file(self._url)
        if file is not None and not await asyncio.to_thread(file.is_file):
            raise NoSuchGroup("there is no evidence yet, so there is no group")
        if file is not None:
            # Who starts over deletes the file; a connection kept would write into the old one.
            await self.close()
        self._engine = self._engine or writer_engine(self._url)
        try:
            async with self._engine.begin() as connection:
                return await self._grant(connection, fingerprint, wish)
        except (SQLAlchemyError, OSError) as exc:
            raise EvidenceUnavailable(f"the evidence store did not answer: {exc}") from exc

    async def _grant(
        self, connection: AsyncConnection, fingerprint: str, wish: Wish
    ) -> MismatchGroup:
        await _check_revision(connection)
        now_s = self._now_s()
        found = await one_group(connection, fingerprint, now_s)
        if found is None:
            raise NoSuchGroup(
                f"no group, or more than one, begins with {fingerprint}; see banyan mismatches"
            )
        group = found[0]
        await lives.make(connection, [_new_life(group)])
        row = (await lives.locked(connection, [group.fingerprint]))[group.fingerprint]
        life = as_of(lives.life_of(row), now_s)
        problem = problem_with(life, wish, datetime.fromtimestamp(now_s, UTC).date())
        if problem is not None:
            raise WishRefused(f"{group.fingerprint}: {problem}")
        after = granted(life, wish, now_s)
        await lives.move(connection, group.fingerprint, life, after, wish.act)
        again = await one_group(connection, group.fingerprint, now_s)
        return again[0] if again else group


def _new_life(group: MismatchGroup) -> dict[str, object]:
    """For a group that the comparer has not given a life yet; it fills in the rest."""
    return {
        "fingerprint": group.fingerprint,
        "domain": group.domain,
        "route": group.route,
        "state": "new",
        "since_s": group.first_seen_s,
        "epoch": "",
        "hits": 0,
        "compared_from": 0,
        "compared_last": 0,
    }


async def _check_revision(connection: AsyncConnection) -> None:
    def read(sync: sa.Connection) -> str | None:
        return current_revision(sync)

    found = await connection.run_sync(read)
    if found != head_revision():
        raise EvidenceUnavailable(
            f"the evidence is at revision {found}, this release writes {head_revision()};"
            " start the comparer of the newer release once to upgrade it"
        )
