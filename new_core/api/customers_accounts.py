"""Routes of business accounts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from new_core.api.answers import answer, id_cursor, read_id_cursor
from new_core.api.auth import needs
from new_core.api.customers_schemas import (
    AccountIn,
    AccountList,
    AccountOut,
    AccountStatusIn,
    MemberIn,
    MemberList,
    MemberOut,
)
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.identity_desk import doing
from new_core.api.parameters import After, Limit
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.domain.actor import Actor
from new_core.domain.customer_accounts import Membership
from new_core.service.customers_accounts import (
    AccountAsked,
    find_account,
    move_account,
    open_account,
    put_member,
    remove_member,
)

_Reads = Annotated[Actor, needs("customers:read")]
_Writes = Annotated[Actor, needs("customers:write")]


def add_accounts(router: APIRouter, house: House) -> None:
    """Add the routes of accounts."""

    @router.get("/accounts", response_model=AccountList, tags=["accounts"])
    async def list_accounts(
        request: Request, _actor: _Reads, limit: Limit = 50, after: After = None
    ) -> Response:
        """Business accounts, oldest first."""
        place = read_id_cursor(after) if after is not None else None
        async with house.database.reading() as uow:
            found = await uow.customers.accounts(place, limit + 1)
        shown, more = found[:limit], len(found) > limit
        cursor = id_cursor(shown[-1].value.id) if more else None
        data = [AccountOut.of(one) for one in shown]
        body = AccountList(data=data, page=Page(next=cursor, has_more=more))
        return answer(request, body, next_page=cursor)

    @router.get(
        "/accounts/{account_id}", response_model=AccountOut, responses=described(404),
        tags=["accounts"],
    )  # fmt: skip
    async def get_account(request: Request, actor: _Reads, account_id: UUID) -> Response:
        """One business account."""
        del actor
        async with house.database.reading() as uow:
            found = await find_account(uow, account_id)
        return answer(request, AccountOut.of(found))

    @router.post(
        "/accounts", response_model=AccountOut, status_code=201, responses=described(404),
        openapi_extra=TAKES_BACK, tags=["accounts"],
    )  # fmt: skip
    async def make_account(asked: AccountIn, actor: _Writes) -> AccountOut:
        """A new account, as a prospect; below another it is a division."""
        tax_ids = tuple((one.kind, one.number) for one in asked.tax_ids)
        wish = AccountAsked(asked.legal_name, asked.currency, asked.parent_id, tax_ids)
        async with house.database.writing() as uow:
            stored = await open_account(uow, wish, doing(house, actor))
            await uow.commit()
        return AccountOut.of(stored)

    @router.post(
        "/accounts/{account_id}/move", response_model=AccountOut, responses=described(404, 409),
        openapi_extra=TAKES_BACK, tags=["accounts"],
    )  # fmt: skip
    async def move(asked: AccountStatusIn, actor: _Writes, account_id: UUID) -> AccountOut:
        """Move an account to another status."""
        async with house.database.writing() as uow:
            stored = await move_account(uow, account_id, asked.status, doing(house, actor))
            await uow.commit()
        return AccountOut.of(stored)


def add_members(router: APIRouter, house: House) -> None:
    """Add the routes of who acts for an account."""

    @router.get(
        "/accounts/{account_id}/members", response_model=MemberList, responses=described(404),
        tags=["accounts"],
    )  # fmt: skip
    async def list_members(request: Request, actor: _Reads, account_id: UUID) -> Response:
        """Who acts for an account."""
        del actor
        async with house.database.reading() as uow:
            await find_account(uow, account_id)
            found = await uow.customers.members(account_id)
        return answer(request, MemberList(data=[MemberOut.of(one) for one in found]))

    @router.put(
        "/accounts/{account_id}/members/{customer_id}", response_model=MemberOut,
        responses=described(404), openapi_extra=TAKES_BACK, tags=["accounts"],
    )  # fmt: skip
    async def save_member(
        asked: MemberIn, actor: _Writes, account_id: UUID, customer_id: UUID
    ) -> MemberOut:
        """Let a customer act for an account."""
        act = doing(house, actor)
        member = Membership(
            account_id, customer_id, asked.role, act.at, asked.active, asked.spending_limit_minor
        )
        async with house.database.writing() as uow:
            await put_member(uow, member, act)
            await uow.commit()
        return MemberOut.of(member)

    @router.delete(
        "/accounts/{account_id}/members/{customer_id}", status_code=204, response_class=Response,
        responses=described(404), openapi_extra=TAKES_BACK, tags=["accounts"],
    )  # fmt: skip
    async def drop_member(actor: _Writes, account_id: UUID, customer_id: UUID) -> Response:
        """A customer acts for an account no more."""
        async with house.database.writing() as uow:
            await remove_member(uow, account_id, customer_id, doing(house, actor))
            await uow.commit()
        return Response(status_code=204)
