"""Requests that may come twice, in tables."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.errors import RequestInFlight, RequestKeyReused
from new_core.ports.idempotency import KeptAnswer, RequestKey
from new_core.storage.statements import Row
from new_core.storage.tables.idempotency import idempotency_key

_T = idempotency_key.c
_IN_HAND_S = 1
"""When to ask again about a request whose transaction is open: such are short."""

_TRY_LOCK = sa.text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 5))")


class SqlIdempotency:
    """Rows of idempotency, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def begin(
        self, request: RequestKey, now: datetime, *, locked_until: datetime, expires_at: datetime
    ) -> KeptAnswer | None:
        await self._take_in_hand(request)
        fresh = {
            "fingerprint": request.fingerprint,
            "begun_at": now,
            "locked_until": locked_until,
            "expires_at": expires_at,
            "finished_at": None,
            "status": None,
            "headers": [],
            "body": None,
        }
        if await self._insert(request, fresh):
            return None
        row = await self._row(request)
        if row is not None and row["expires_at"] > now:
            if row["fingerprint"] != request.fingerprint:
                raise RequestKeyReused("the key was used for another request; take a new one")
            if row["status"] is not None:
                headers = tuple((name, value) for name, value in row["headers"])
                return KeptAnswer(row["status"], headers, row["body"] or b"")
            if row["locked_until"] > now:
                wait_s = math.ceil((row["locked_until"] - now).total_seconds())
                raise RequestInFlight(max(1, wait_s))
        await self._take_over(request, row, fresh)
        return None

    async def _take_in_hand(self, request: RequestKey) -> None:
        """Refuse at once where another transaction has the same request in hand.

        Without it, 50 copies of a request would wait for the first one's row with 50
        connections. On SQLite writers stand in line anyway.

        Raises:
            RequestInFlight: it has.
        """
        if self._connection.dialect.name == "sqlite":
            return
        name = f"{request.principal}\n{request.route}\n{request.key}"
        taken = (await self._connection.execute(_TRY_LOCK, {"name": name})).scalar_one()
        if not taken:
            raise RequestInFlight(_IN_HAND_S)

    async def _insert(self, request: RequestKey, values: dict[str, Any]) -> bool:
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        done = await self._connection.execute(
            make(idempotency_key).on_conflict_do_nothing(),
            {"principal": request.principal, "route": request.route, "key": request.key, **values},
        )
        return done.rowcount == 1

    async def _row(self, request: RequestKey) -> Row | None:
        found = await self._connection.execute(sa.select(idempotency_key).where(_named(request)))
        return found.mappings().one_or_none()

    async def _take_over(
        self, request: RequestKey, seen: Row | None, fresh: dict[str, Any]
    ) -> None:
        """Begin anew what expired, or what somebody began and left.

        1. A process reads that the first one's time is up, 2. the first one finishes after all,
        3. the second would write over its answer. So only what was read is taken over.

        Raises:
            RequestInFlight: it is not any more as it was read.
        """
        taken = 0
        if seen is not None:
            done = await self._connection.execute(
                sa.update(idempotency_key)
                .where(
                    _named(request),
                    _T.locked_until == seen["locked_until"],
                    _T.begun_at == seen["begun_at"],
                    _T.status.is_not_distinct_from(seen["status"]),
                )
                .values(**fresh)
            )
            taken = done.rowcount
        if taken != 1:
            raise RequestInFlight(_IN_HAND_S)

    async def finish(self, request: RequestKey, answer: KeptAnswer, now: datetime) -> None:
        await self._connection.execute(
            sa.update(idempotency_key)
            .where(_named(request), _T.fingerprint == request.fingerprint, _T.status.is_(None))
            .values(
                finished_at=now,
                status=answer.status,
                headers=[list(pair) for pair in answer.headers],
                body=answer.body,
            )
        )

    async def forget(self, request: RequestKey) -> None:
        await self._connection.execute(
            sa.delete(idempotency_key).where(_named(request), _T.status.is_(None))
        )

    async def forget_of(self, principal: str) -> None:
        mine = sa.delete(idempotency_key).where(_T.principal == principal)
        await self._connection.execute(mine)

    async def sweep(self, now: datetime, limit: int) -> int:
        due = (
            sa.select(_T.principal, _T.route, _T.key)
            .where(_T.expires_at <= now)
            .order_by(_T.expires_at)
            .limit(limit)
        )
        key = sa.tuple_(_T.principal, _T.route, _T.key)
        done = await self._connection.execute(sa.delete(idempotency_key).where(key.in_(due)))
        return done.rowcount


def _named(request: RequestKey) -> sa.ColumnElement[bool]:
    return sa.and_(
        _T.principal == request.principal, _T.route == request.route, _T.key == request.key
    )
