"""The audit in tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.actor import Actor
from new_core.domain.audit import GENESIS, START, Link, Sealed, Written, seal
from new_core.domain.events import AuditEntry
from new_core.ports.audit import AuditQuery
from new_core.storage.statements import Row
from new_core.storage.tables.audit import audit_entry, audit_head

_E = audit_entry.c
_CHAIN = "main"
_WRITTEN = tuple(field.name for field in fields(Written))
_HEAD = sa.select(audit_head.c.seq, audit_head.c.hash).where(audit_head.c.chain == _CHAIN)


class SqlAudit:
    """Rows of the audit, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, entries: Sequence[AuditEntry], actor: Actor, now: datetime) -> None:
        rows = [
            asdict(
                Written(
                    now, actor.kind.value, actor.id, actor.request_id, one.action, one.entity,
                    one.entity_id, _text(one.before), _text(one.after), one.reason,
                )
            )
            for one in entries
        ]  # fmt: skip
        if rows:
            await self._connection.execute(sa.insert(audit_entry), rows)

    async def has_unsealed(self) -> bool:
        found = await self._connection.execute(sa.select(_E.id).where(_E.seq.is_(None)).limit(1))
        return found.first() is not None

    async def unsealed(self) -> int:
        found = await self._connection.execute(
            sa.select(sa.func.count()).select_from(audit_entry).where(_E.seq.is_(None))
        )
        return found.scalar_one()

    async def seal(self, limit: int) -> tuple[Link, Link]:
        head = await self._held_head()
        if head is None:
            now = await self.head()
            return now, now
        waiting = await self._connection.execute(
            sa.select(audit_entry).where(_E.seq.is_(None)).order_by(_E.id).limit(limit)
        )
        last, changes = head, []
        for row in waiting.mappings():
            sealed = seal(last, _written(row))
            last = sealed.link
            changes.append(
                {"row": row["id"], "prev": sealed.prev_hash, "place": last.seq, "sum": last.hash}
            )
        if changes:
            await self._connection.execute(
                sa.update(audit_entry)
                .where(_E.id == sa.bindparam("row"), _E.seq.is_(None))
                .values(
                    prev_hash=sa.bindparam("prev"),
                    seq=sa.bindparam("place"),
                    hash=sa.bindparam("sum"),
                ),
                changes,
            )
            await self._connection.execute(
                sa.update(audit_head).where(audit_head.c.chain == _CHAIN).values(**asdict(last))
            )
        return head, last

    async def _held_head(self) -> Link | None:
        """The head, which nobody else moves until this transaction ends; None while somebody
        else has it.
        """
        held = _HEAD.with_for_update(skip_locked=True)
        row = (await self._connection.execute(held)).one_or_none()
        if row is None and (await self._connection.execute(_HEAD)).one_or_none() is None:
            make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
            await self._connection.execute(
                make(audit_head).on_conflict_do_nothing(),
                {"chain": _CHAIN, "seq": 0, "hash": GENESIS},
            )
            row = (await self._connection.execute(held)).one_or_none()
        return None if row is None else Link(row.seq, row.hash)

    async def page(self, query: AuditQuery) -> tuple[Sealed, ...]:
        wanted = sa.select(audit_entry).where(_E.seq > query.after)
        if query.entity is not None:
            wanted = wanted.where(_E.entity == query.entity)
        if query.entity_id is not None:
            wanted = wanted.where(_E.entity_id == query.entity_id)
        found = await self._connection.execute(wanted.order_by(_E.seq).limit(query.limit))
        return tuple(_sealed(row) for row in found.mappings())

    async def head(self) -> Link:
        row = (await self._connection.execute(_HEAD)).one_or_none()
        return START if row is None else Link(row.seq, row.hash)


def _written(row: Row) -> Written:
    return Written(**{name: row[name] for name in _WRITTEN})


def _sealed(row: Row) -> Sealed:
    return Sealed(Link(row["seq"], row["hash"]), row["prev_hash"], _written(row))


def _text(value: Mapping[str, object] | None) -> str | None:
    """One text per value: the hash is over these very characters."""
    if value is None:
        return None
    return json.dumps(dict(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
