"""Routes of customers about themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response

from new_core.api.answers import answer, changed, is_expected
from new_core.api.auth import needs_customer
from new_core.api.customers_schemas import (
    AddressIn,
    AddressList,
    AddressOut,
    CustomerChange,
    CustomerOut,
)
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.identity_desk import doing
from new_core.api.problems import described
from new_core.domain.actor import Actor
from new_core.domain.catalog import Stored
from new_core.domain.customer import Customer
from new_core.errors import ChangedMeanwhile, NotFound
from new_core.service.customers import (
    find_customer,
    locked_customer,
    put_address,
    remove_address,
    save_customer,
)

Self = Annotated[Actor, needs_customer()]
IfMatch = Annotated[str | None, Header(max_length=500, description="tags that it must have now")]


def add_me(router: APIRouter, house: House) -> None:
    """Add the routes of oneself."""

    @router.get("/me", response_model=CustomerOut, responses=described(404), tags=["customers"])
    async def get_me(request: Request, actor: Self) -> Response:
        """What is known of oneself."""
        async with house.database.reading() as uow:
            found = await find_customer(uow, own_id(actor))
        return answer(request, CustomerOut.of(found))

    @router.patch(
        "/me", response_model=CustomerOut, responses=described(404, 409, 412),
        openapi_extra=TAKES_BACK, tags=["customers"],
    )  # fmt: skip
    async def change_me(asked: CustomerChange, actor: Self, if_match: IfMatch = None) -> Response:
        """Change what is known of oneself."""
        async with house.database.writing() as uow:
            found = await locked_customer(uow, own_id(actor))
            expect(found, if_match)
            after = with_changes(found.value, asked)
            stored = await save_customer(uow, found.value, after, doing(house, actor))
            await uow.commit()
        return changed(CustomerOut.of(stored))


def add_own_addresses(router: APIRouter, house: House) -> None:
    """Add the routes of one's own addresses."""

    @router.get(
        "/me/addresses", response_model=AddressList, responses=described(404), tags=["customers"]
    )  # fmt: skip
    async def list_addresses(request: Request, actor: Self) -> Response:
        """One's own book."""
        async with house.database.reading() as uow:
            found = await find_customer(uow, own_id(actor))
        data = [AddressOut.of(one) for one in found.value.addresses]
        return answer(request, AddressList(data=data))

    @router.post(
        "/me/addresses", response_model=AddressOut, status_code=201,
        responses=described(404, 409), openapi_extra=TAKES_BACK, tags=["customers"],
    )  # fmt: skip
    async def add_address(asked: AddressIn, actor: Self) -> AddressOut:
        """Add an address."""
        return await put(asked, house.new_id(), actor)

    @router.put(
        "/me/addresses/{address_id}", response_model=AddressOut, responses=described(404, 409),
        openapi_extra=TAKES_BACK, tags=["customers"],
    )  # fmt: skip
    async def change_address(asked: AddressIn, actor: Self, address_id: UUID) -> AddressOut:
        """Change an address."""
        return await put(asked, address_id, actor, there=True)

    @router.delete(
        "/me/addresses/{address_id}", status_code=204, response_class=Response,
        responses=described(404, 409), openapi_extra=TAKES_BACK, tags=["customers"],
    )  # fmt: skip
    async def delete_address(actor: Self, address_id: UUID) -> Response:
        """Take an address out of one's book; orders keep their own copy."""
        async with house.database.writing() as uow:
            found = (await locked_customer(uow, own_id(actor))).value
            await remove_address(uow, found, address_id, doing(house, actor))
            await uow.commit()
        return Response(status_code=204)

    async def put(
        asked: AddressIn, address_id: UUID, actor: Actor, *, there: bool = False
    ) -> AddressOut:
        async with house.database.writing() as uow:
            found = (await locked_customer(uow, own_id(actor))).value
            if there and all(one.id != address_id for one in found.addresses):
                raise NotFound("address", str(address_id))
            saved = asked.saved(address_id)
            stored = await put_address(uow, found, saved, doing(house, actor))
            await uow.commit()
        kept = next(one for one in stored.value.addresses if one.id == address_id)
        return AddressOut.of(kept)


def own_id(actor: Actor) -> UUID:
    """The customer who asks; a token may outlive them, so look them up.

    Raises:
        NotFound: no customer asks, which the route does not let happen.
    """
    if actor.customer_id is None:
        raise NotFound("customer", actor.id)
    return actor.customer_id


def expect(found: Stored[Customer], if_match: str | None) -> None:
    """That a customer is as the caller saw them.

    Raises:
        ChangedMeanwhile: they are not.
    """
    if not is_expected(if_match, CustomerOut.of(found)):
        raise ChangedMeanwhile("the customer changed meanwhile")


def with_changes(customer: Customer, asked: CustomerChange) -> Customer:
    """A customer with what was asked for; what was not named stays."""
    return replace(
        customer,
        first_name=customer.first_name if asked.first_name is None else asked.first_name,
        last_name=customer.last_name if asked.last_name is None else asked.last_name,
        phone=customer.phone if asked.phone is None else asked.phone,
        locale=customer.locale if asked.locale is None else asked.locale,
    )
