"""Customers in tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.address import PostalAddress
from new_core.domain.catalog import Stored
from new_core.domain.customer import Customer, CustomerStatus, SavedAddress
from new_core.domain.identity_logins import scheme_of
from new_core.errors import InvalidValue
from new_core.ports.customers import CustomerQuery
from new_core.storage.customers_accounts import SqlAccounts
from new_core.storage.statements import Row, fetch, one_of, replace_children, upsert
from new_core.storage.tables.customers import customer as table
from new_core.storage.tables.customers import (
    customer_address,
    customer_group_member,
    customer_token,
)

_ADDRESSES = (
    sa.select(customer_address)
    .where(one_of(customer_address.c.customer_id))
    .order_by(customer_address.c.customer_id, customer_address.c.position)
)
_GROUPS = sa.select(customer_group_member).where(one_of(customer_group_member.c.customer_id))
_NOT_ERASED = table.c.status != CustomerStatus.ERASED.value
_PARTS_OF_AN_ADDRESS = tuple(PostalAddress.__dataclass_fields__)


class SqlCustomers(SqlAccounts):
    """Rows of customers, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self._connection = connection

    async def get(self, customer_id: UUID) -> Stored[Customer] | None:
        return await self._one(sa.select(table).where(table.c.id == customer_id))

    async def locked(self, customer_id: UUID) -> Stored[Customer] | None:
        # SQLite has no such lock and needs none: its writers wait for each other at BEGIN.
        row = sa.select(table.c.id).where(table.c.id == customer_id)
        await self._connection.execute(row.with_for_update())
        return await self.get(customer_id)

    async def by_email(self, email: str) -> Stored[Customer] | None:
        return await self._one(sa.select(table).where(table.c.email == email, _NOT_ERASED))

    async def by_username(self, username: str) -> Stored[Customer] | None:
        return await self._one(sa.select(table).where(table.c.username == username, _NOT_ERASED))

    async def put(self, customer: Customer, now: datetime) -> Stored[Customer]:
        try:
            await upsert(self._connection, table, [_row(customer)], now)
        except IntegrityError as exc:
            for name in ("username", "email"):
                if f"uq_customer_{name}" in str(exc.orig) or f"customer.{name}" in str(exc.orig):
                    raise InvalidValue(name, "belongs to another customer") from exc
            raise
        owner = [customer.id]
        addresses = [
            _address_row(customer.id, position, one)
            for position, one in enumerate(customer.addresses)
        ]
        await replace_children(
            self._connection, customer_address.c.customer_id, owner, addresses
        )  # fmt: skip
        members = [
            {"customer_id": customer.id, "group_id": one} for one in sorted(customer.group_ids)
        ]
        await replace_children(
            self._connection, customer_group_member.c.customer_id, owner, members
        )  # fmt: skip
        written = sa.select(table.c.version, table.c.updated_at).where(table.c.id == customer.id)
        version, at = (await self._connection.execute(written)).one()
        return Stored(customer, version, at)

    async def old_hash(self) -> str:
        old = table.c.password_scheme == "pbkdf2_sha256"  # noqa: S105 - a kind of hash
        wanted = sa.select(table.c.password_hash).where(old).limit(1)
        return (await self._connection.execute(wanted)).scalar_one_or_none() or ""

    async def page(self, query: CustomerQuery) -> tuple[Stored[Customer], ...]:
        t, wanted = table.c, sa.select(table)
        wanted = wanted.order_by(t.updated_at, t.id).limit(query.limit)
        if query.after is not None:
            at, last = query.after
            after = sa.or_(t.updated_at > at, sa.and_(t.updated_at == at, t.id > last))
            wanted = wanted.where(after)
        if query.email is not None:
            wanted = wanted.where(t.email == query.email, _NOT_ERASED)
        if query.updated_since is not None:
            wanted = wanted.where(t.updated_at >= query.updated_since)
        if query.group_id is not None:
            inside = sa.select(customer_group_member.c.customer_id).where(
                customer_group_member.c.group_id == query.group_id
            )
            wanted = wanted.where(t.id.in_(inside))
        rows = (await self._connection.execute(wanted)).mappings().all()
        return tuple(await self._whole(rows))

    async def add_token(
        self, digest: str, customer_id: UUID, purpose: str, now: datetime, expires_at: datetime
    ) -> None:
        t = customer_token.c
        older = sa.delete(customer_token).where(t.customer_id == customer_id, t.purpose == purpose)
        await self._connection.execute(older)
        row = {
            "token_sha256": digest,
            "customer_id": customer_id,
            "purpose": purpose,
            "created_at": now,
            "expires_at": expires_at,
        }
        await self._connection.execute(sa.insert(customer_token), [row])

    async def take_token(self, digest: str, purpose: str, now: datetime) -> UUID | None:
        t = customer_token.c
        taken = (
            sa.delete(customer_token)
            .where(t.token_sha256 == digest, t.purpose == purpose, t.expires_at > now)
            .returning(t.customer_id)
        )
        found: UUID | None = (await self._connection.execute(taken)).scalar_one_or_none()
        return found

    async def drop_tokens(self, customer_id: UUID) -> None:
        mine = customer_token.c.customer_id == customer_id
        await self._connection.execute(sa.delete(customer_token).where(mine))

    async def forget_tokens(self, before: datetime) -> int:
        late = sa.delete(customer_token).where(customer_token.c.expires_at < before)
        return (await self._connection.execute(late)).rowcount

    async def _one(self, statement: sa.Select[Any]) -> Stored[Customer] | None:
        found = await self._whole((await self._connection.execute(statement)).mappings().all())
        return found[0] if found else None

    async def _whole(self, rows: Sequence[Row]) -> list[Stored[Customer]]:
        ids = [row["id"] for row in rows]
        addresses: dict[UUID, list[SavedAddress]] = {one: [] for one in ids}
        groups: dict[UUID, set[UUID]] = {one: set() for one in ids}
        for row in await fetch(self._connection, _ADDRESSES, ids):
            addresses[row["customer_id"]].append(_address(row))
        for row in await fetch(self._connection, _GROUPS, ids):
            groups[row["customer_id"]].add(row["group_id"])
        return [
            Stored(
                _customer(row, tuple(addresses[row["id"]]), frozenset(groups[row["id"]])),
                row["version"],
                row["updated_at"],
            )
            for row in rows
        ]


def _row(one: Customer) -> dict[str, Any]:
    return {
        "id": one.id,
        "email": one.email,
        "status": one.status.value,
        "username": one.username,
        "first_name": one.first_name,
        "last_name": one.last_name,
        "phone": one.phone,
        "locale": one.locale,
        "password_hash": one.password_hash,
        "password_scheme": scheme_of(one.password_hash),
        "created_at": one.created_at,
    }


def _address_row(customer_id: UUID, position: int, one: SavedAddress) -> dict[str, Any]:
    return {
        "id": one.id,
        "customer_id": customer_id,
        "position": position,
        "default_shipping": one.default_shipping,
        "default_billing": one.default_billing,
        **asdict(one.address),
    }


def _address(row: Row) -> SavedAddress:
    parts = {name: row[name] for name in _PARTS_OF_AN_ADDRESS}
    address = PostalAddress(**(parts | {"lines": tuple(parts["lines"])}))
    return SavedAddress(row["id"], address, row["default_shipping"], row["default_billing"])


def _customer(row: Row, addresses: tuple[SavedAddress, ...], groups: frozenset[UUID]) -> Customer:
    return Customer(
        id=row["id"],
        email=row["email"],
        status=CustomerStatus(row["status"]),
        created_at=row["created_at"],
        username=row["username"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        phone=row["phone"],
        locale=row["locale"],
        password_hash=row["password_hash"],
        group_ids=groups,
        addresses=addresses,
    )
