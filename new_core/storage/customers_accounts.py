"""Groups, business accounts and who acts for them, in tables."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import Stored
from new_core.domain.customer_accounts import (
    AccountKind,
    AccountStatus,
    BusinessAccount,
    CustomerGroup,
    Membership,
)
from new_core.errors import InvalidValue
from new_core.storage.statements import Row, chunks, upsert
from new_core.storage.tables.customers import account_member, business_account, customer_group

_DEEPEST = 32


class SqlAccounts:
    """Rows of groups and accounts, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def groups(self, ids: Collection[UUID] | None = None) -> tuple[CustomerGroup, ...]:
        wanted = sa.select(customer_group).order_by(customer_group.c.code)
        parts = [None] if ids is None else list(chunks(ids))
        found: list[CustomerGroup] = []
        for part in parts:
            some = wanted if part is None else wanted.where(customer_group.c.id.in_(part))
            rows = (await self._connection.execute(some)).mappings()
            found += [CustomerGroup(row["id"], row["code"], row["name"]) for row in rows]
        return tuple(found)

    async def put_group(self, group: CustomerGroup, now: datetime) -> None:
        try:
            await upsert(self._connection, customer_group, [asdict(group)], now)
        except IntegrityError as exc:
            raise InvalidValue("code", "belongs to another group") from exc

    async def account(self, account_id: UUID) -> Stored[BusinessAccount] | None:
        wanted = sa.select(business_account).where(business_account.c.id == account_id)
        row = (await self._connection.execute(wanted)).mappings().one_or_none()
        return None if row is None else _account(row)

    async def accounts(self, after: UUID | None, limit: int) -> tuple[Stored[BusinessAccount], ...]:
        wanted = sa.select(business_account).order_by(business_account.c.id).limit(limit)
        if after is not None:
            wanted = wanted.where(business_account.c.id > after)
        return tuple(_account(row) for row in (await self._connection.execute(wanted)).mappings())

    async def put_account(self, account: BusinessAccount, now: datetime) -> Stored[BusinessAccount]:
        row = asdict(account) | {
            "kind": account.kind.value,
            "status": account.status.value,
            "tax_ids": [list(one) for one in account.tax_ids],
        }
        await upsert(self._connection, business_account, [row], now)
        stored = await self.account(account.id)
        if stored is None:
            raise InvalidValue("account", "was not written")
        return stored

    async def lineage(self, account_id: UUID) -> tuple[UUID, ...]:
        t = business_account.c
        first = sa.select(t.id, t.parent_id, sa.literal(0).label("depth")).where(t.id == account_id)
        line = first.cte("line", recursive=True)
        above = (
            sa.select(t.id, t.parent_id, line.c.depth + 1)
            .join(line, line.c.parent_id == t.id)
            .where(line.c.depth < _DEEPEST)
        )
        line = line.union_all(above)
        wanted = sa.select(line.c.id).order_by(line.c.depth)
        return tuple((await self._connection.execute(wanted)).scalars())

    async def members(self, account_id: UUID) -> tuple[Membership, ...]:
        t = account_member.c
        wanted = sa.select(account_member).where(t.account_id == account_id)
        rows = (await self._connection.execute(wanted.order_by(t.customer_id))).mappings()
        return tuple(Membership(**row) for row in rows)

    async def put_member(self, member: Membership) -> None:
        await upsert(self._connection, account_member, [asdict(member)], member.joined_at)

    async def remove_member(self, account_id: UUID, customer_id: UUID) -> bool:
        t = account_member.c
        gone = await self._connection.execute(
            sa.delete(account_member).where(
                t.account_id == account_id, t.customer_id == customer_id
            )
        )
        return gone.rowcount == 1

    async def leave_accounts(self, customer_id: UUID) -> None:
        mine = account_member.c.customer_id == customer_id
        await self._connection.execute(sa.delete(account_member).where(mine))

    async def accounts_of(self, customer_id: UUID) -> tuple[UUID, ...]:
        member, account = account_member.c, business_account.c
        wanted = (
            sa.select(member.account_id)
            .join(business_account, account.id == member.account_id)
            .where(member.customer_id == customer_id, member.active, account.status == "active")
            .order_by(member.account_id)
        )
        return tuple((await self._connection.execute(wanted)).scalars())


def _account(row: Row) -> Stored[BusinessAccount]:
    account = BusinessAccount(
        id=row["id"],
        kind=AccountKind(row["kind"]),
        status=AccountStatus(row["status"]),
        legal_name=row["legal_name"],
        currency=row["currency"],
        created_at=row["created_at"],
        parent_id=row["parent_id"],
        tax_ids=tuple((str(kind), str(number)) for kind, number in row["tax_ids"]),
    )
    return Stored(account, row["version"], row["updated_at"])
