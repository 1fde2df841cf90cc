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
from new_core.storage.statements import Row, fetch, one_of, replace_children, upsert
from new_core.storage.tables.customers import (
    account_member,
    business_account,
    customer_address,
    customer_group_member,
)
from new_core.storage.tables.customers import customer as table

_ADDRESSES = (
    sa.select(customer_address)
    .where(one_of(customer_address.c.customer_id))
    .order_by(customer_address.c.customer_id, customer_address.c.position)
)
_GROUPS = sa.select(customer_group_member).where(one_of(customer_group_member.c.customer_id))
_NOT_ERASED = table.c.status != CustomerStatus.ERASED.value
_PARTS_OF_AN_ADDRESS = tuple(PostalAddress.__dataclass_fields__)


class SqlCustomers:
    """Rows of customers, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
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

    async def accounts_of(self, customer_id: UUID) -> tuple[UUID, ...]:
        member, account = account_member.c, business_account.c
        wanted = (
            sa.select(member.account_id)
            .join(business_account, account.id == member.account_id)
            .where(member.customer_id == customer_id, member.active, account.status == "active")
            .order_by(member.account_id)
        )
        return tuple((await self._connection.execute(wanted)).scalars())

    async def old_hash(self) -> str:
        old = table.c.password_scheme == "pbkdf2_sha256"  # noqa: S105 - a kind of hash
        wanted = sa.select(table.c.password_hash).where(old).limit(1)
        return (await self._connection.execute(wanted)).scalar_one_or_none() or ""

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
