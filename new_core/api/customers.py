"""Routes and workers of customers."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from new_core.api.answers import answer, changed, read_time_cursor, time_cursor
from new_core.api.auth import needs
from new_core.api.customers_accounts import add_accounts, add_members
from new_core.api.customers_logins import add_logins
from new_core.api.customers_me import (
    IfMatch,
    add_me,
    add_own_addresses,
    expect,
    with_changes,
)
from new_core.api.customers_schemas import (
    CustomerList,
    CustomerOut,
    CustomerStaffChange,
    GroupIn,
    GroupList,
    GroupOut,
)
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House, Worker
from new_core.api.identity_desk import doing
from new_core.api.parameters import After, Limit, Moment
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.domain.actor import Actor
from new_core.domain.customer import CustomerStatus, normal_email
from new_core.domain.customer_accounts import CustomerGroup
from new_core.ports.customers import CustomerQuery
from new_core.service.consent_access import log_access
from new_core.service.customers import find_customer, locked_customer, save_customer, save_group

_FIELDS = ("email", "name", "phone", "addresses")
Why = Annotated[
    str,
    Header(
        alias="Banyan-Purpose", max_length=200, pattern=r"^[^\x00]*$",
        description="why these data are read; stands in the access log",
    ),
]  # fmt: skip
_Reads = Annotated[Actor, needs("customers:read")]
_Writes = Annotated[Actor, needs("customers:write")]


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503))
    add_logins(router, house)
    add_me(router, house)
    add_own_addresses(router, house)
    _add_customers(router, house)
    _add_changes(router, house)
    _add_groups(router, house)
    add_accounts(router, house)
    add_members(router, house)
    return router


def workers(house: House) -> tuple[Worker, ...]:
    """What this module does beside the requests."""

    async def forget() -> int:
        async with house.database.writing() as uow:
            await uow.customers.forget_tokens(house.now())
            await uow.commit()
        return 0

    return (Worker("reset-sweeper", forget, 3600.0),)


def _add_customers(router: APIRouter, house: House) -> None:
    @router.get("/customers", response_model=CustomerList, tags=["customers"])
    async def list_customers(  # noqa: PLR0913, PLR0917 - one argument per query parameter
        request: Request,
        actor: _Reads,
        limit: Limit = 50,
        after: After = None,
        email: Annotated[str | None, Query(max_length=254, pattern=r"^[^\x00]*$")] = None,
        updated_since: Moment | None = None,
        group_id: UUID | None = None,
        banyan_purpose: Why = "",
    ) -> Response:
        """Customers, the longest unchanged first; who reads them is put down for each."""
        query = CustomerQuery(
            limit=limit + 1,
            after=read_time_cursor(after) if after is not None else None,
            email=normal_email(email) if email is not None else None,
            updated_since=updated_since,
            group_id=group_id,
        )
        async with house.database.writing() as uow:
            found = await uow.customers.page(query)
            shown, more = found[:limit], len(found) > limit
            ids = [one.value.id for one in shown]
            await log_access(uow, ids, _FIELDS, banyan_purpose, doing(house, actor))
            await uow.commit()
        cursor = time_cursor(shown[-1].updated_at, shown[-1].value.id) if more else None
        data = [CustomerOut.of(one) for one in shown]
        body = CustomerList(data=data, page=Page(next=cursor, has_more=more))
        return answer(request, body, next_page=cursor)

    @router.get(
        "/customers/{customer_id}", response_model=CustomerOut, responses=described(404),
        tags=["customers"],
    )  # fmt: skip
    async def get_customer(
        request: Request, actor: _Reads, customer_id: UUID, banyan_purpose: Why = ""
    ) -> Response:
        """One customer; who reads is put down."""
        async with house.database.writing() as uow:
            found = await find_customer(uow, customer_id)
            await log_access(uow, [customer_id], _FIELDS, banyan_purpose, doing(house, actor))
            await uow.commit()
        return answer(request, CustomerOut.of(found))


def _add_changes(router: APIRouter, house: House) -> None:
    @router.patch(
        "/customers/{customer_id}", response_model=CustomerOut,
        responses=described(404, 409, 412), openapi_extra=TAKES_BACK, tags=["customers"],
    )  # fmt: skip
    async def change_customer(
        asked: CustomerStaffChange, actor: _Writes, customer_id: UUID, if_match: IfMatch = None
    ) -> Response:
        """Change a customer; one who is no longer active is logged out everywhere."""
        async with house.database.writing() as uow:
            found = await locked_customer(uow, customer_id)
            expect(found, if_match)
            after = with_changes(found.value, asked)
            if asked.email is not None:
                after = replace(after, email=normal_email(asked.email))
            if asked.group_ids is not None:
                after = replace(after, group_ids=frozenset(asked.group_ids))
            if asked.active is not None and after.status is not CustomerStatus.ERASED:
                to = CustomerStatus.ACTIVE if asked.active else CustomerStatus.DISABLED
                after = replace(after, status=to)
            act = doing(house, actor)
            stored = await save_customer(uow, found.value, after, act)
            await log_access(uow, [customer_id], _FIELDS, "changed", act)
            await uow.commit()
        return changed(CustomerOut.of(stored))


def _add_groups(router: APIRouter, house: House) -> None:
    @router.get("/customer-groups", response_model=GroupList, tags=["customers"])
    async def list_groups(request: Request, _actor: _Reads) -> Response:
        """All groups."""
        async with house.database.reading() as uow:
            found = await uow.customers.groups()
        return answer(request, GroupList(data=[GroupOut.of(one) for one in found]))

    @router.post(
        "/customer-groups", response_model=GroupOut, status_code=201, openapi_extra=TAKES_BACK,
        tags=["customers"],
    )  # fmt: skip
    async def make_group(asked: GroupIn, actor: _Writes) -> GroupOut:
        """A new group."""
        group = CustomerGroup(house.new_id(), asked.code, asked.name)
        async with house.database.writing() as uow:
            await save_group(uow, group, doing(house, actor))
            await uow.commit()
        return GroupOut.of(group)
