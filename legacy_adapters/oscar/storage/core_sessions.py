"""Sessions of the facade as the replicator reads and writes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from legacy_adapters.mapping.aggregates import Shape
from legacy_adapters.oscar.mapping.session_ids import digest
from legacy_adapters.oscar.mapping.sync_session import SessionDocument
from legacy_adapters.oscar.mapping.sync_session_data import auth_hash
from legacy_adapters.oscar.storage import tables as own
from legacy_adapters.oscar.storage.core_shapes import core_table
from new_core.ports import UnitOfWork
from new_core.storage import connection_of
from new_core.storage import tables as t
from new_core.storage.statements import Row, fetch, one_of, replace_children, upsert

_SESSION = own.session
_CUSTOMER = t.customers.customer
_DOCUMENTS = (
    sa.select(_SESSION, _CUSTOMER.c.password_hash)
    .select_from(_SESSION.outerjoin(_CUSTOMER, _CUSTOMER.c.id == _SESSION.c.customer_id))
    .where(one_of(_SESSION.c.id), _SESSION.c.session_key.is_not(None))
)
_BY_DIGEST = sa.select(_SESSION.c.id, _SESSION.c.key_sha256).where(one_of(_SESSION.c.key_sha256))


class SqlSessionDocuments:
    """Sessions that have a key which oscar knows, too."""

    # Requests of either store's clients write it, whoever owns the domain.
    shapes: Sequence[Shape] = (Shape("session", core_table(_SESSION, is_fenced=False)),)

    def __init__(self, secret_key: str) -> None:
        """Begin.

        Args:
            secret_key: SECRET_KEY of the shop.
        """
        self._secret_key = secret_key

    async def read(self, uow: UnitOfWork, ids: Collection[UUID]) -> Mapping[UUID, SessionDocument]:
        """Sessions as they are now."""
        rows = await fetch(connection_of(uow), _DOCUMENTS, ids)
        return {row["id"]: self._document(row) for row in rows}

    async def page(self, uow: UnitOfWork, after: UUID | None, size: int) -> Sequence[UUID]:
        """The next ids, ascending."""
        row = _SESSION.c
        chosen = sa.select(row.id).where(row.session_key.is_not(None)).order_by(row.id).limit(size)
        if after is not None:
            chosen = chosen.where(row.id > after)
        return list((await connection_of(uow).execute(chosen)).scalars())

    async def write(
        self, uow: UnitOfWork, docs: Sequence[SessionDocument], now: datetime
    ) -> Mapping[UUID, str]:
        """Make sessions open what these say."""
        before = await self.read(uow, [one.id for one in docs])
        rows = [_row(one, now) for one in docs if before.get(one.id) != one]
        connection = connection_of(uow)
        ids = {row["key_sha256"]: row["id"] for row in rows}
        # A client's that was kept here by its digest alone is the same session.
        there = await fetch(connection, _BY_DIGEST, ids)
        old = [row["id"] for row in there if ids[row["key_sha256"]] != row["id"]]
        await replace_children(connection, _SESSION.c.id, old, [])
        await upsert(connection, _SESSION, rows, now)
        return {}

    async def remove(self, uow: UnitOfWork, ids: Collection[UUID], now: datetime) -> None:  # noqa: ARG002 - the port's
        """Forget sessions."""
        await replace_children(connection_of(uow), _SESSION.c.id, ids, [])

    def _document(self, row: Row) -> SessionDocument:
        said: str = row["auth_hash"]
        if not said and row["password_hash"]:
            # Who logged in here is logged in there, as long as the password stays.
            said = auth_hash(row["password_hash"], self._secret_key)
        return SessionDocument(
            id=row["id"],
            session_key=row["session_key"],
            customer_id=row["customer_id"],
            cart_id=row["cart_id"],
            auth_hash=said if row["customer_id"] is not None else "",
            expires_at=row["expires_at"],
        )


def _row(doc: SessionDocument, now: datetime) -> dict[str, Any]:
    return {
        "id": doc.id,
        "key_sha256": digest(doc.session_key),
        "session_key": doc.session_key,
        "customer_id": doc.customer_id,
        "cart_id": doc.cart_id,
        "auth_hash": doc.auth_hash,
        "updated_at": now,
        "expires_at": doc.expires_at,
    }
