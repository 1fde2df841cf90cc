"""Identity in tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.identity_secrets import digest_of
from new_core.domain.identity_tokens import Grant, SubjectKind
from new_core.ports.identity import Code
from new_core.storage.identity_clients import SqlClients
from new_core.storage.statements import chunks
from new_core.storage.tables.identity import (
    login_attempts,
    oauth_code,
    oauth_grant,
    refresh_token,
)


class SqlIdentity(SqlClients):
    """Rows of identity, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self._connection = connection

    async def open_grant(self, grant: Grant) -> None:
        row = {
            "id": grant.id,
            "client_id": grant.client_id,
            "subject_kind": grant.subject_kind.value,
            "subject_id": grant.subject_id,
            "scopes": sorted(grant.scopes),
            "created_at": grant.created_at,
            "expires_at": grant.expires_at,
            "revoked_at": None,
            "revoked_for": "",
        }
        await self._connection.execute(sa.insert(oauth_grant), [row])

    async def grant(self, grant_id: UUID) -> Grant | None:
        wanted = sa.select(oauth_grant).where(oauth_grant.c.id == grant_id)
        row = (await self._connection.execute(wanted)).mappings().one_or_none()
        if row is None:
            return None
        return Grant(
            id=row["id"],
            client_id=row["client_id"],
            subject_kind=SubjectKind(row["subject_kind"]),
            subject_id=row["subject_id"],
            scopes=frozenset(row["scopes"]),
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            revoked_at=row["revoked_at"],
        )

    async def revoke(self, grant_ids: Sequence[UUID], why: str, now: datetime) -> None:
        for part in chunks(sorted(grant_ids)):
            await self._end(oauth_grant.c.id.in_(part), why, now)

    async def revoke_of(self, kind: SubjectKind, subject_id: UUID, why: str, now: datetime) -> None:
        of_them = sa.and_(
            oauth_grant.c.subject_kind == kind.value, oauth_grant.c.subject_id == subject_id
        )
        await self._end(of_them, why, now)

    async def _end(self, which: sa.ColumnElement[bool], why: str, now: datetime) -> None:
        await self._connection.execute(
            sa.update(oauth_grant)
            .where(which, oauth_grant.c.revoked_at.is_(None))
            .values(revoked_at=now, revoked_for=why)
        )

    async def add_code(self, code: Code) -> None:
        row = {
            "code_sha256": code.digest,
            "grant_id": code.grant_id,
            "redirect_uri": code.redirect_uri,
            "challenge": code.challenge,
            "expires_at": code.expires_at,
            "used_at": None,
        }
        await self._connection.execute(sa.insert(oauth_code), [row])

    async def code(self, digest: str) -> Code | None:
        wanted = sa.select(oauth_code).where(oauth_code.c.code_sha256 == digest)
        row = (await self._connection.execute(wanted)).mappings().one_or_none()
        if row is None:
            return None
        return Code(
            digest,
            row["grant_id"],
            row["redirect_uri"],
            row["challenge"],
            row["expires_at"],
            row["used_at"] is not None,
        )

    async def take_code(self, digest: str, now: datetime) -> bool:
        return await self._use_up(oauth_code.c.code_sha256, oauth_code.c.used_at, digest, now)

    async def add_refresh(self, digest: str, grant_id: UUID, now: datetime) -> None:
        row = {"token_sha256": digest, "grant_id": grant_id, "created_at": now, "used_at": None}
        await self._connection.execute(sa.insert(refresh_token), [row])

    async def grant_of_refresh(self, digest: str) -> UUID | None:
        wanted = sa.select(refresh_token.c.grant_id).where(refresh_token.c.token_sha256 == digest)
        found: UUID | None = (await self._connection.execute(wanted)).scalar_one_or_none()
        return found

    async def take_refresh(self, digest: str, now: datetime) -> bool:
        used_at = refresh_token.c.used_at
        return await self._use_up(refresh_token.c.token_sha256, used_at, digest, now)

    async def _use_up(
        self, key: sa.Column[Any], used_at: sa.Column[Any], digest: str, now: datetime
    ) -> bool:
        # Of two that come at once one finds the row unused; the other waits for its lock and
        # then finds it used.
        taken = await self._connection.execute(
            sa.update(key.table).where(key == digest, used_at.is_(None)).values({used_at: now})
        )
        return taken.rowcount == 1

    async def take_try(
        self, key: str, most: int, window: timedelta, now: datetime
    ) -> datetime | None:
        t, digest = login_attempts.c, digest_of(key)
        mine = sa.update(login_attempts).where(t.key_sha256 == digest)
        one_more = mine.where(t.until > now, t.tries < most).values(tries=t.tries + 1)
        new_window = mine.where(t.until <= now).values(tries=1, until=now + window)
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        first = (
            make(login_attempts)
            .values(key_sha256=digest, tries=1, until=now + window)
            .on_conflict_do_nothing(index_elements=["key_sha256"])
        )
        # 1. Two first tries come at once, 2. one inserts, 3. the other counts on what it made.
        for statement in (one_more, new_window, first, one_more):
            if (await self._connection.execute(statement)).rowcount == 1:
                return None
        until = sa.select(t.until).where(t.key_sha256 == digest)
        found: datetime = (await self._connection.execute(until)).scalar_one()
        return found

    async def forget_tries(self, key: str) -> None:
        mine = login_attempts.c.key_sha256 == digest_of(key)
        await self._connection.execute(sa.delete(login_attempts).where(mine))

    async def forget_ended(self, before: datetime) -> int:
        count = 0
        for column in (oauth_grant.c.expires_at, login_attempts.c.until):
            gone = await self._connection.execute(sa.delete(column.table).where(column < before))
            count += gone.rowcount
        return count
