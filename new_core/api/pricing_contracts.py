"""Routes of price contracts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response

from new_core.api.answers import answer, changed, expect, id_cursor, read_id_cursor
from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.parameters import After, Limit
from new_core.api.pricing_schemas import ContractBody, ContractOut, Contracts
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.domain.actor import Actor
from new_core.domain.catalog import Stored
from new_core.domain.pricing import PriceContract
from new_core.errors import InvalidValue, NotFound
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.pricing_lists import delete_contract, list_of, save_contract

IfMatch = Annotated[str | None, Header(description="the tag that it must have now")]
Keeper = Annotated[Actor, needs("prices:write")]


async def _shown(uow: UnitOfWork, stored: Stored[PriceContract]) -> ContractOut:
    price_list = await list_of(uow, stored.value.price_list_id)
    return ContractOut.of(stored, price_list.value.currency)


def add_contracts(router: APIRouter, house: House) -> None:
    """Add the routes of contracts."""
    _add_reads(router, house)
    _add_writes(router, house)


def _add_reads(router: APIRouter, house: House) -> None:
    @router.get("/price-contracts", response_model=Contracts, tags=["pricing"])
    async def list_contracts(
        request: Request,
        _actor: Keeper,
        limit: Limit = 50,
        after: After = None,
        account_id: UUID | None = None,
    ) -> Response:
        """Contracts, of one account or of all."""
        start = read_id_cursor(after) if after else None
        async with house.database.reading() as uow:
            found = await uow.pricing.contracts(account_id, start, limit + 1)
            lists = {one.id: one for one in await uow.pricing.price_lists()}
        more = len(found) > limit
        last = id_cursor(found[limit - 1].value.id) if more else None
        data = [ContractOut.of(o, lists[o.value.price_list_id].currency) for o in found[:limit]]
        body = Contracts(data=data, page=Page(next=last, has_more=more))
        return answer(request, body, next_page=last)

    @router.get(
        "/price-contracts/{contract_id}", response_model=ContractOut, responses=described(404),
        tags=["pricing"],
    )  # fmt: skip
    async def get_contract(request: Request, _actor: Keeper, contract_id: UUID) -> Response:
        """A contract."""
        async with house.database.reading() as uow:
            found = await uow.pricing.contract(contract_id)
            if found is None:
                raise NotFound("price contract", str(contract_id))
            shown = await _shown(uow, found)
        return answer(request, shown)


def _add_writes(router: APIRouter, house: House) -> None:
    @router.post(
        "/price-contracts", response_model=ContractOut, status_code=201,
        responses=described(404), openapi_extra=TAKES_BACK, tags=["pricing"],
    )  # fmt: skip
    async def post_contract(actor: Keeper, body: ContractBody) -> Response:
        """Make a contract."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            await _check_money(uow, body)
            stored = await save_contract(uow, body.of(house.new_id()), None, doing)
        async with house.database.reading() as uow:
            return changed(await _shown(uow, stored), status=201)

    @router.put(
        "/price-contracts/{contract_id}", response_model=ContractOut,
        responses=described(404, 412, 428), openapi_extra=TAKES_BACK, tags=["pricing"],
    )  # fmt: skip
    async def put_contract(
        actor: Keeper, contract_id: UUID, body: ContractBody, if_match: IfMatch = None
    ) -> Response:
        """Write a contract anew."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            await _check_money(uow, body)
            currency = await _currency(uow, contract_id)
            stored = await save_contract(
                uow,
                body.of(contract_id),
                lambda one: expect(if_match, ContractOut.of(one, currency)),
                doing,
            )
        async with house.database.reading() as uow:
            return changed(await _shown(uow, stored))

    @router.delete(
        "/price-contracts/{contract_id}", status_code=204, response_class=Response,
        responses=described(404, 412, 428), openapi_extra=TAKES_BACK, tags=["pricing"],
    )  # fmt: skip
    async def remove_contract(
        actor: Keeper, contract_id: UUID, if_match: IfMatch = None
    ) -> Response:
        """Delete a contract."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            currency = await _currency(uow, contract_id)
            await delete_contract(
                uow,
                contract_id,
                lambda one: expect(if_match, ContractOut.of(one, currency)),
                doing,
            )
        return Response(status_code=204)


async def _check_money(uow: UnitOfWork, body: ContractBody) -> None:
    least = body.min_commitment
    if least is not None:
        currency = (await list_of(uow, body.price_list_id)).value.currency
        if least.currency != currency:
            raise InvalidValue("min_commitment", f"must be in the list's currency, {currency}")


async def _currency(uow: UnitOfWork, contract_id: UUID) -> str:
    """In which a contract's amounts are shown: its list's, which stays."""
    found = await uow.pricing.contract(contract_id)
    if found is None:
        raise NotFound("price contract", str(contract_id))
    return (await list_of(uow, found.value.price_list_id)).value.currency
