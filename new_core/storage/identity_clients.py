"""Keys, clients, roles and staff in tables."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import Stored
from new_core.domain.identity_keys import KeyTerm, SigningKey
from new_core.domain.identity_roles import Role
from new_core.domain.identity_tokens import Client, ClientKind, StaffUser
from new_core.errors import InvalidValue
from new_core.storage.statements import Row, upsert
from new_core.storage.tables.identity import oauth_client, role, signing_key, staff_user

T = TypeVar("T")


class SqlClients:
    """Who may get tokens, and the keys that sign them, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keys(self) -> tuple[SigningKey, ...]:
        wanted = sa.select(signing_key).order_by(signing_key.c.number)
        return tuple(_key(row) for row in (await self._connection.execute(wanted)).mappings())

    async def add_key(self, key: SigningKey) -> bool:
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        row = {
            **asdict(key.term),
            "kid": key.kid,
            "private_pem": key.private_pem,
            "public_pem": key.public_pem,
        }
        added = make(signing_key).values(row).on_conflict_do_nothing(index_elements=["number"])
        return (await self._connection.execute(added)).rowcount == 1

    async def client(self, client_id: str) -> Stored[Client] | None:
        row = await self._row(sa.select(oauth_client).where(oauth_client.c.client_id == client_id))
        return _stored(_client(row), row) if row else None

    async def clients(self, after: str, limit: int) -> tuple[Stored[Client], ...]:
        rows = await self._after(oauth_client.c.client_id, after, limit)
        return tuple(_stored(_client(row), row) for row in rows)

    async def put_client(self, client: Client, now: datetime) -> Stored[Client]:
        row = {
            **asdict(client),
            "kind": client.kind.value,
            "secrets_sha256": list(client.secrets),
            "redirect_uris": list(client.redirect_uris),
            "roles": list(client.roles),
        }
        del row["secrets"]
        return await self._put(oauth_client.c.id, row, client, now, "client_id")

    async def roles(self) -> dict[str, Stored[Role]]:
        rows = (await self._connection.execute(sa.select(role))).mappings()
        return {row["code"]: _stored(_role(row), row) for row in rows}

    async def put_role(self, one: Role, now: datetime) -> Stored[Role]:
        row = {"code": one.code, "name": one.name, "scopes": sorted(one.scopes)}
        return await self._put(role.c.code, row, one, now, "code")

    async def delete_role(self, code: str) -> bool:
        gone = await self._connection.execute(sa.delete(role).where(role.c.code == code))
        return gone.rowcount == 1

    async def staff(self, staff_id: UUID) -> Stored[StaffUser] | None:
        row = await self._row(sa.select(staff_user).where(staff_user.c.id == staff_id))
        return _stored(_staff(row), row) if row else None

    async def staff_by_email(self, email: str) -> Stored[StaffUser] | None:
        row = await self._row(sa.select(staff_user).where(staff_user.c.email == email))
        return _stored(_staff(row), row) if row else None

    async def staff_page(self, after: str, limit: int) -> tuple[Stored[StaffUser], ...]:
        rows = await self._after(staff_user.c.email, after, limit)
        return tuple(_stored(_staff(row), row) for row in rows)

    async def put_staff(self, user: StaffUser, now: datetime) -> Stored[StaffUser]:
        row = {**asdict(user), "roles": list(user.roles)}
        return await self._put(staff_user.c.id, row, user, now, "email")

    async def _put(
        self, key: sa.Column[Any], row: dict[str, Any], value: T, now: datetime, name: str
    ) -> Stored[T]:
        try:
            await upsert(self._connection, key.table, [row], now)
        except IntegrityError as exc:
            raise InvalidValue(name, "belongs to another one") from exc
        t = key.table.c
        written = sa.select(t.version, t.updated_at).where(key == row[key.name])
        version, at = (await self._connection.execute(written)).one()
        return Stored(value, version, at)

    async def _row(self, statement: sa.Select[Any]) -> Row | None:
        row: Row | None = (await self._connection.execute(statement)).mappings().one_or_none()
        return row

    async def _after(self, column: sa.Column[Any], after: str, limit: int) -> list[Row]:
        wanted = sa.select(column.table).where(column > after).order_by(column).limit(limit)
        return list((await self._connection.execute(wanted)).mappings())


def _stored(value: T, row: Row) -> Stored[T]:
    return Stored(value, row["version"], row["updated_at"])


def _key(row: Row) -> SigningKey:
    term = KeyTerm(row["number"], row["signs_from"], row["signs_until"], row["verifies_until"])
    return SigningKey(term, row["kid"], row["private_pem"], row["public_pem"])


def _client(row: Row) -> Client:
    return Client(
        id=row["id"],
        client_id=row["client_id"],
        name=row["name"],
        kind=ClientKind(row["kind"]),
        created_at=row["created_at"],
        active=row["active"],
        secrets=tuple(row["secrets_sha256"]),
        redirect_uris=tuple(row["redirect_uris"]),
        roles=tuple(row["roles"]),
        account_id=row["account_id"],
    )


def _role(row: Row) -> Role:
    return Role(row["code"], row["name"], frozenset(row["scopes"]))


def _staff(row: Row) -> StaffUser:
    return StaffUser(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        password_hash=row["password_hash"],
        created_at=row["created_at"],
        active=row["active"],
        roles=tuple(row["roles"]),
    )
