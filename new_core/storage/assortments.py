"""Assortments in tables."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.assortment import AssignedTo, Assortment, AssortmentRule, RuleKind
from new_core.domain.catalog import Stored
from new_core.storage import tables as t
from new_core.storage.statements import fetch, one_of, replace_children, upsert


class SqlAssortments:
    """Rows of assortments, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def every(self) -> tuple[Stored[Assortment], ...]:
        rows = await self._connection.execute(sa.select(t.assortment.c.id))
        return await self._whole(list(rows.scalars()))

    async def assigned(
        self, customer_id: UUID | None, account_ids: Collection[UUID], group_ids: Collection[UUID]
    ) -> tuple[Assortment, ...]:
        table = t.assortment_assignment.c
        whom = {
            AssignedTo.CUSTOMER: [customer_id] if customer_id else [],
            AssignedTo.ACCOUNT: sorted(account_ids),
            AssignedTo.GROUP: sorted(group_ids),
        }
        if not any(whom.values()):
            return ()
        theirs = sa.or_(
            *(
                sa.and_(table.scope == scope.value, table.scope_id.in_(ids))
                for scope, ids in whom.items()
                if ids
            )
        )
        found = await self._connection.execute(
            sa.select(table.assortment_id).distinct().where(theirs)
        )
        return tuple(one.value for one in await self._whole(list(found.scalars())))

    async def put(self, assortment: Assortment, now: datetime) -> Stored[Assortment]:
        row = {"id": assortment.id, "code": assortment.code, "name": assortment.name}
        await upsert(self._connection, t.assortment, [row], now)
        rules = [
            {
                "assortment_id": assortment.id,
                "position": position,
                "includes": rule.includes,
                "kind": rule.kind.value,
                "target_id": rule.target_id,
            }
            for position, rule in enumerate(assortment.rules)
        ]
        owner = t.assortment_rule.c.assortment_id
        await replace_children(self._connection, owner, [assortment.id], rules)
        (stored,) = await self._whole([assortment.id])
        return stored

    async def assign(self, assortment_id: UUID, scope: AssignedTo, scope_id: UUID) -> None:
        is_sqlite = self._connection.dialect.name == "sqlite"
        make = sqlite.insert if is_sqlite else postgresql.insert
        row = {"assortment_id": assortment_id, "scope": scope.value, "scope_id": scope_id}
        statement = make(t.assortment_assignment).values(row).on_conflict_do_nothing()
        await self._connection.execute(statement)

    async def unassign(self, assortment_id: UUID, scope: AssignedTo, scope_id: UUID) -> None:
        table = t.assortment_assignment
        await self._connection.execute(
            sa.delete(table).where(
                table.c.assortment_id == assortment_id,
                table.c.scope == scope.value,
                table.c.scope_id == scope_id,
            )
        )

    async def _whole(self, ids: Collection[UUID]) -> tuple[Stored[Assortment], ...]:
        rules: dict[UUID, list[tuple[int, AssortmentRule]]] = {}
        for row in await fetch(self._connection, _RULES, ids):
            rule = AssortmentRule(row["includes"], RuleKind(row["kind"]), row["target_id"])
            rules.setdefault(row["assortment_id"], []).append((row["position"], rule))
        rows = await fetch(self._connection, _ASSORTMENTS, ids)
        return tuple(
            Stored(
                Assortment(
                    row["id"],
                    row["code"],
                    row["name"],
                    tuple(rule for _, rule in sorted(rules.get(row["id"], []), key=lambda r: r[0])),
                ),
                row["version"],
                row["updated_at"],
            )
            for row in sorted(rows, key=lambda one: str(one["code"]))
        )


_ASSORTMENTS = sa.select(t.assortment).where(one_of(t.assortment.c.id))
_RULES = sa.select(t.assortment_rule).where(one_of(t.assortment_rule.c.assortment_id))
