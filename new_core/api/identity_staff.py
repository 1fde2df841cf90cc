"""Routes of clients, roles and staff."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from new_core.api.answers import answer
from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.identity_desk import doing
from new_core.api.identity_schemas import (
    NAME,
    ClientChange,
    ClientIn,
    ClientList,
    ClientOut,
    NewClientOut,
    RoleIn,
    RoleList,
    RoleOut,
    StaffChange,
    StaffIn,
    StaffList,
    StaffOut,
)
from new_core.api.parameters import Limit
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.domain.actor import Actor
from new_core.domain.customer import normal_email
from new_core.domain.identity_roles import Role
from new_core.domain.identity_secrets import digest_of
from new_core.domain.identity_tokens import Client, StaffUser
from new_core.ports.identity import Hasher, NewSecret
from new_core.service.identity_staff import (
    delete_role,
    find_client,
    find_staff,
    new_client_secret,
    save_client,
    save_role,
    save_staff,
)
from new_core.service.identity_tokens import known_roles

_Admin = Annotated[Actor, needs("identity:write")]
_Code = Annotated[str, Path(pattern=NAME)]
_After = Annotated[str, Query(max_length=254, pattern=r"^[^\x00]*$", description="`page.next`")]


def add_clients(router: APIRouter, house: House, new_secret: NewSecret) -> None:
    """Add the routes of clients."""
    _add_client_reads(router, house)
    _add_client_writes(router, house, new_secret)


def _add_client_reads(router: APIRouter, house: House) -> None:
    @router.get("/v1/clients", response_model=ClientList, tags=["identity"])
    async def list_clients(
        request: Request, _actor: _Admin, limit: Limit = 50, after: _After = ""
    ) -> Response:
        """Clients, ascending by name."""
        async with house.database.reading() as uow:
            found = await uow.identity.clients(after, limit + 1)
        shown, more = found[:limit], len(found) > limit
        page = Page(next=shown[-1].value.client_id if more else None, has_more=more)
        body = ClientList(data=[ClientOut.of(one) for one in shown], page=page)
        return answer(request, body, next_page=page.next)

    @router.get(
        "/v1/clients/{client_id}", response_model=ClientOut, responses=described(404),
        tags=["identity"],
    )  # fmt: skip
    async def get_client(request: Request, actor: _Admin, client_id: _Code) -> Response:
        """One client."""
        del actor
        async with house.database.reading() as uow:
            found = await find_client(uow, client_id)
        return answer(request, ClientOut.of(found))


def _add_client_writes(router: APIRouter, house: House, new_secret: NewSecret) -> None:
    @router.post(
        "/v1/clients", response_model=NewClientOut, status_code=201, openapi_extra=TAKES_BACK,
        tags=["identity"],
    )  # fmt: skip
    async def make_client(asked: ClientIn, actor: _Admin) -> NewClientOut:
        """A new client; its secret is shown this once."""
        act, secret = doing(house, actor), new_secret() if asked.confidential else ""
        client = Client(
            act.new_id(), asked.client_id, asked.name, asked.kind, act.at,
            secrets=(digest_of(secret),) if secret else (),
            redirect_uris=tuple(asked.redirect_uris), roles=tuple(asked.roles),
            account_id=asked.account_id,
        )  # fmt: skip
        async with house.database.writing() as uow:
            stored = await save_client(uow, client, None, act)
            await uow.commit()
        return NewClientOut(client=ClientOut.of(stored), client_secret=secret or None)

    @router.patch(
        "/v1/clients/{client_id}", response_model=ClientOut, responses=described(404),
        openapi_extra=TAKES_BACK, tags=["identity"],
    )  # fmt: skip
    async def change_client(asked: ClientChange, actor: _Admin, client_id: _Code) -> ClientOut:
        """Change a client."""
        async with house.database.writing() as uow:
            before = (await find_client(uow, client_id)).value
            changes = asked.model_dump(exclude_unset=True)
            for name in ("redirect_uris", "roles"):
                if name in changes:
                    changes[name] = tuple(changes[name] or ())
            kept = {key: value for key, value in changes.items() if value is not None}
            client = replace(before, **kept)
            stored = await save_client(uow, client, before, doing(house, actor))
            await uow.commit()
        return ClientOut.of(stored)

    @router.post(
        "/v1/clients/{client_id}/secrets", response_model=NewClientOut, status_code=201,
        responses=described(404), openapi_extra=TAKES_BACK, tags=["identity"],
    )  # fmt: skip
    async def make_secret(actor: _Admin, client_id: _Code) -> NewClientOut:
        """One more secret; the one before it opens until the next."""
        async with house.database.writing() as uow:
            client = (await find_client(uow, client_id)).value
            act = doing(house, actor)
            stored, secret = await new_client_secret(uow, client, new_secret, act)
            await uow.commit()
        return NewClientOut(client=ClientOut.of(stored), client_secret=secret)


def add_roles(router: APIRouter, house: House) -> None:
    """Add the routes of roles."""

    @router.get("/v1/roles", response_model=RoleList, tags=["identity"])
    async def list_roles(request: Request, _actor: _Admin) -> Response:
        """All roles, built in or not."""
        async with house.database.reading() as uow:
            found = await known_roles(uow)
        data = [RoleOut.of(found[code]) for code in sorted(found)]
        return answer(request, RoleList(data=data))

    @router.put(
        "/v1/roles/{code}", response_model=RoleOut, responses=described(409),
        openapi_extra=TAKES_BACK, tags=["identity"],
    )  # fmt: skip
    async def put_role(asked: RoleIn, actor: _Admin, code: _Code) -> RoleOut:
        """Make or change a role of one's own."""
        role = Role(code, asked.name, frozenset(asked.scopes))
        async with house.database.writing() as uow:
            await save_role(uow, role, doing(house, actor))
            await uow.commit()
        return RoleOut.of(role)

    @router.delete(
        "/v1/roles/{code}", status_code=204, response_class=Response,
        responses=described(404, 409), openapi_extra=TAKES_BACK, tags=["identity"],
    )  # fmt: skip
    async def remove_role(actor: _Admin, code: _Code) -> Response:
        """Delete a role of one's own."""
        async with house.database.writing() as uow:
            await delete_role(uow, code, doing(house, actor))
            await uow.commit()
        return Response(status_code=204)


def add_staff(router: APIRouter, house: House, hasher: Hasher) -> None:
    """Add the routes of staff."""

    @router.get("/v1/staff", response_model=StaffList, tags=["identity"])
    async def list_staff(
        request: Request, _actor: _Admin, limit: Limit = 50, after: _After = ""
    ) -> Response:
        """Staff, ascending by e-mail."""
        async with house.database.reading() as uow:
            found = await uow.identity.staff_page(after, limit + 1)
        shown, more = found[:limit], len(found) > limit
        page = Page(next=shown[-1].value.email if more else None, has_more=more)
        body = StaffList(data=[StaffOut.of(one) for one in shown], page=page)
        return answer(request, body, next_page=page.next)

    @router.post(
        "/v1/staff", response_model=StaffOut, status_code=201, openapi_extra=TAKES_BACK,
        tags=["identity"],
    )  # fmt: skip
    async def make_staff(asked: StaffIn, actor: _Admin) -> StaffOut:
        """Somebody new."""
        act, hashed = doing(house, actor), await hasher.hash(asked.password)
        email = normal_email(asked.email)
        user = StaffUser(act.new_id(), email, asked.name, hashed, act.at, roles=tuple(asked.roles))
        async with house.database.writing() as uow:
            stored = await save_staff(uow, user, None, act)
            await uow.commit()
        return StaffOut.of(stored)

    @router.patch(
        "/v1/staff/{staff_id}", response_model=StaffOut, responses=described(404),
        openapi_extra=TAKES_BACK, tags=["identity"],
    )  # fmt: skip
    async def change_staff(asked: StaffChange, actor: _Admin, staff_id: UUID) -> StaffOut:
        """Change a staff user; one who is no longer active is logged out everywhere."""
        hashed = await hasher.hash(asked.password) if asked.password is not None else None
        async with house.database.writing() as uow:
            before = (await find_staff(uow, staff_id)).value
            user = replace(
                before,
                name=before.name if asked.name is None else asked.name,
                active=before.active if asked.active is None else asked.active,
                roles=before.roles if asked.roles is None else tuple(asked.roles),
                password_hash=hashed or before.password_hash,
            )
            stored = await save_staff(uow, user, before, doing(house, actor))
            await uow.commit()
        return StaffOut.of(stored)
