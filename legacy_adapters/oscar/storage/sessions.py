"""Who a client of the facade is, from one request to the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from legacy_adapters.oscar.mapping.records import SYSTEM
from legacy_adapters.oscar.storage import tables as t
from new_core.domain.identity import core_id
from new_core.ports import UnitOfWork
from new_core.storage import connection_of


@dataclass(frozen=True, slots=True)
class Session:
    """A client's session.

    Attributes:
        key_sha256: hex digest of the session's key, or of what the client names it by; "" for
            none yet.
        customer_id: who logged in; None for a guest.
        cart_id: the guest's basket, or the one that a customer used last.
        session_key: oscar's key of it, where sessions are carried between both stores; else
            nothing that opens a session is kept anywhere.
    """

    key_sha256: str
    customer_id: UUID | None = None
    cart_id: UUID | None = None
    session_key: str = ""

    @property
    def id(self) -> UUID:
        """Under which it is carried."""
        return core_id(SYSTEM, "session", self.session_key or self.key_sha256)


class SqlSessions:
    """Sessions, in one unit of work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._connection = connection_of(uow)

    async def get(self, key_sha256: str, now: datetime) -> Session | None:
        """A session that has not expired."""
        row = t.session.c
        found = await self._connection.execute(
            sa.select(row.customer_id, row.cart_id, row.session_key).where(
                row.key_sha256 == key_sha256, row.expires_at > now
            )
        )
        one = found.one_or_none()
        if one is None:
            return None
        return Session(key_sha256, one.customer_id, one.cart_id, one.session_key or "")

    async def put(self, session: Session, now: datetime, expires_at: datetime) -> None:
        """Write a session whole."""
        values = {
            "id": session.id,
            "session_key": session.session_key or None,
            "customer_id": session.customer_id,
            "cart_id": session.cart_id,
            "updated_at": now,
            "expires_at": expires_at,
        }
        key = t.session.c.key_sha256 == session.key_sha256
        changed = await self._connection.execute(sa.update(t.session).where(key).values(values))
        if changed.rowcount == 0:
            await self._connection.execute(
                sa.insert(t.session).values(key_sha256=session.key_sha256, **values)
            )

    async def end(self, key_sha256: str) -> None:
        """Forget a session; one that is not there is fine."""
        row = t.session.c
        await self._connection.execute(sa.delete(t.session).where(row.key_sha256 == key_sha256))

    async def sweep(self, now: datetime, limit: int) -> int:
        """Forget sessions whose time is over, and give how many."""
        row = t.session.c
        old = sa.select(row.key_sha256).where(row.expires_at <= now).limit(limit)
        gone = await self._connection.execute(sa.delete(t.session).where(row.key_sha256.in_(old)))
        return int(gone.rowcount)
