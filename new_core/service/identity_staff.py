"""Use cases of clients, roles and staff."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import datetime
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.events import AuditEntry, Event
from new_core.domain.identity_logins import Person
from new_core.domain.identity_roles import BUILT_IN, SCOPES, Role
from new_core.domain.identity_secrets import digest_of
from new_core.domain.identity_tokens import (
    ADMIN_CLIENT,
    MOST_SECRETS,
    SHOP_CLIENT,
    Client,
    StaffUser,
    SubjectKind,
    may_redirect_to,
)
from new_core.errors import Conflict, InvalidValue, NotFound
from new_core.ports import UnitOfWork
from new_core.ports.identity import NewSecret
from new_core.service.doing import Doing
from new_core.service.identity_logins import Door
from new_core.service.identity_tokens import known_roles


async def find_client(uow: UnitOfWork, client_id: str) -> Stored[Client]:
    """A client.

    Raises:
        NotFound: there is none of that name.
    """
    found = await uow.identity.client(client_id)
    if found is None:
        raise NotFound("client", client_id)
    return found


async def save_client(
    uow: UnitOfWork, client: Client, before: Client | None, doing: Doing
) -> Stored[Client]:
    """Make or change a client; one that is no longer active gets nothing more.

    Raises:
        InvalidValue: a role, an address or the name is none.
    """
    if client.client_id in {ADMIN_CLIENT, SHOP_CLIENT}:
        raise InvalidValue("client_id", "is one of the core's own")
    await _check_roles(uow, set(client.roles) - set(before.roles if before else ()))
    for uri in client.redirect_uris:
        if not may_redirect_to(uri):
            raise InvalidValue("redirect_uris", "are https, or http on the machine itself")
    if client.for_people != bool(client.redirect_uris):
        raise InvalidValue("redirect_uris", "are for clients through which people log in")
    if client.for_people and client.roles:
        raise InvalidValue("roles", "belong to the people who log in through this client")
    stored = await uow.identity.put_client(client, doing.at)
    await _tell(uow, "client", str(client.id), _client_told(before), _client_told(client), doing)
    return stored


async def new_client_secret(
    uow: UnitOfWork, client: Client, new_secret: NewSecret, doing: Doing
) -> tuple[Stored[Client], str]:
    """One more secret, shown this once; the one before it still opens, older ones do not."""
    secret = new_secret()
    kept = (digest_of(secret), *client.secrets)[:MOST_SECRETS]
    stored = await uow.identity.put_client(replace(client, secrets=kept), doing.at)
    said = {"secrets": len(kept)}
    entry = AuditEntry("client.secret_made", "client", str(client.id), after=said)
    await uow.audit.add([entry], doing.actor, doing.at)
    return stored, secret


async def save_role(uow: UnitOfWork, role: Role, doing: Doing) -> Stored[Role]:
    """Make or change a role; tokens follow when they are next handed out.

    Raises:
        Conflict: it is built in.
        InvalidValue: a scope that is not there.
    """
    if role.code in BUILT_IN:
        raise Conflict("role_built_in", f"{role.code} is built in and does not change")
    unknown = sorted(role.scopes - SCOPES.keys())
    if unknown:
        raise InvalidValue("scopes", f"has {', '.join(unknown)}, which is not there")
    before = (await uow.identity.roles()).get(role.code)
    stored = await uow.identity.put_role(role, doing.at)
    said: dict[str, object] | None = (
        None if before is None else {"scopes": sorted(before.value.scopes)}
    )
    await _tell(uow, "role", role.code, said, {"scopes": sorted(role.scopes)}, doing)
    return stored


async def delete_role(uow: UnitOfWork, code: str, doing: Doing) -> None:
    """Delete a role; who has it is allowed nothing by it any more.

    Raises:
        Conflict: it is built in.
        NotFound: there is no such role.
    """
    if code in BUILT_IN:
        raise Conflict("role_built_in", f"{code} is built in and stays")
    if not await uow.identity.delete_role(code):
        raise NotFound("role", code)
    await _tell(uow, "role", code, {"code": code}, None, doing)


async def find_staff(uow: UnitOfWork, staff_id: UUID) -> Stored[StaffUser]:
    """A staff user.

    Raises:
        NotFound: there is none of that id.
    """
    found = await uow.identity.staff(staff_id)
    if found is None:
        raise NotFound("staff user", str(staff_id))
    return found


async def save_staff(
    uow: UnitOfWork, user: StaffUser, before: StaffUser | None, doing: Doing
) -> Stored[StaffUser]:
    """Make or change a staff user. Who is no longer active, or has another password, is
    logged out everywhere.

    Raises:
        InvalidValue: a role that is not there, or somebody else's e-mail address.
    """
    await _check_roles(uow, set(user.roles) - set(before.roles if before else ()))
    stored = await uow.identity.put_staff(user, doing.at)
    if before is not None and (not user.active or user.password_hash != before.password_hash):
        await uow.identity.revoke_of(SubjectKind.STAFF, user.id, "changed", doing.at)
    told = (None if before is None else _staff_told(before)), _staff_told(user)
    await _tell(uow, "staff", str(user.id), *told, doing)
    return stored


def staff_door() -> Door:
    """Where staff come in, by their e-mail address."""

    async def find(uow: UnitOfWork, name: str) -> Person | None:
        return _person(await uow.identity.staff_by_email(name))

    async def locked(uow: UnitOfWork, person: Person) -> Person | None:
        return _person(await uow.identity.staff(person.id))

    async def rehash(uow: UnitOfWork, person: Person, hashed: str, at: datetime) -> None:
        user = (await find_staff(uow, person.id)).value
        await uow.identity.put_staff(replace(user, password_hash=hashed), at)

    async def old_hash(_uow: UnitOfWork) -> str:
        return ""

    return Door(SubjectKind.STAFF, find, locked, rehash, old_hash)


def _person(found: Stored[StaffUser] | None) -> Person | None:
    if found is None:
        return None
    return Person(found.value.id, found.value.password_hash, found.value.active)


async def _check_roles(uow: UnitOfWork, codes: Collection[str]) -> None:
    # Of new ones alone: whoever had a role that is gone must still be let go.
    unknown = sorted(set(codes) - (await known_roles(uow)).keys())
    if unknown:
        raise InvalidValue("roles", f"has {', '.join(unknown)}, which is not there")


async def _tell(
    uow: UnitOfWork,
    entity: str,
    entity_id: str,
    before: dict[str, object] | None,
    after: dict[str, object] | None,
    doing: Doing,
) -> None:
    made = "deleted" if after is None else "changed" if before is not None else "created"
    entry = AuditEntry(f"{entity}.{made}", entity, entity_id, before, after)
    await uow.audit.add([entry], doing.actor, doing.at)
    if entity != "role":
        event = Event(f"identity.{entity}.{made}.v1", entity, UUID(entity_id), {})
        await uow.outbox.add([event], doing.actor, doing.at)


def _client_told(client: Client | None) -> dict[str, object] | None:
    if client is None:
        return None
    said = asdict(client)
    for name in ("id", "created_at", "secrets"):
        del said[name]
    return {**said, "account_id": str(client.account_id or "")}


def _staff_told(user: StaffUser) -> dict[str, object]:
    return {"roles": list(user.roles), "active": user.active}
