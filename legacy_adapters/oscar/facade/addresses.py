"""A customer's address book."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace as replaced
from typing import Any
from uuid import UUID

from legacy_adapters.oscar.facade import accounts
from legacy_adapters.oscar.facade.places import known_countries
from legacy_adapters.oscar.facade.visit import Refused, Reply, Visit, missing, refused_form
from legacy_adapters.oscar.mapping import addresses as mapping
from legacy_adapters.oscar.mapping.fields import InvalidForm, read_form
from legacy_adapters.oscar.storage import SqlCountries, SqlNumbers
from new_core.domain.address import PostalAddress
from new_core.domain.customer import MOST_ADDRESSES, SavedAddress
from new_core.ports import UnitOfWork
from new_core.service.customers import locked_customer, remove_address, save_customer

ADDRESS = "user_address"
_DUPLICATE = "This address is already in your address book"
_SAME = ("lines", "city", "region", "postcode", "country", "title", "first_name", "last_name")


async def every(visit: Visit) -> Reply:
    """All addresses."""
    async with visit.house.database.reading() as uow:
        book = (await accounts.mine(uow, visit)).addresses
        known = await SqlNumbers(uow).of([one.id for one in book])
        if len(known) == len(book) or visit.is_shadow:
            return Reply(200, await _bodies(uow, visit, [one for one in book if one.id in known]))
    async with visit.house.database.writing() as uow:
        await SqlNumbers(uow).give(ADDRESS, [one.id for one in book], visit.at)
        bodies = await _bodies(uow, visit, book)
        await uow.commit()
        return Reply(200, bodies)


async def one(visit: Visit) -> Reply:
    """One address."""
    async with visit.house.database.reading() as uow:
        found = await _found(uow, visit)
        return Reply(200, (await _bodies(uow, visit, [found]))[0])


async def add(visit: Visit) -> Reply:
    """A new address."""
    values = await _values(visit, partial=False)
    async with visit.house.database.writing() as uow:
        new = _saved(visit.house.new_id(), values, None)
        await _write(uow, visit, new)
        await SqlNumbers(uow).give(ADDRESS, [new.id], visit.at)
        body = (await _bodies(uow, visit, [new]))[0]
        await uow.commit()
        return Reply(201, body, (("location", str(body["url"])),))


async def replace(visit: Visit) -> Reply:
    """An address anew."""
    return await _changed(visit, partial=False)


async def change(visit: Visit) -> Reply:
    """Some fields of an address."""
    return await _changed(visit, partial=True)


async def _changed(visit: Visit, *, partial: bool) -> Reply:
    async with visit.house.database.reading() as uow:
        before = await _found(uow, visit)
    values = await _values(visit, partial=partial)
    async with visit.house.database.writing() as uow:
        # Oscar keeps what was not sent, also where all of it is sent.
        after = _saved(before.id, values, before)
        await _write(uow, visit, after)
        body = (await _bodies(uow, visit, [after]))[0]
        await uow.commit()
        return Reply(200, body)


async def remove(visit: Visit) -> Reply:
    """Take an address out of the book."""
    async with visit.house.database.writing() as uow:
        found = await _found(uow, visit)
        customer = await accounts.mine(uow, visit)
        await remove_address(uow, customer, found.id, visit.doing)
        await uow.commit()
        return Reply(204, "")


async def _values(visit: Visit, *, partial: bool) -> Mapping[str, Any]:
    sent = visit.sent()
    async with visit.house.database.reading() as uow:
        countries = await known_countries(uow, sent)
    try:
        return read_form(mapping.book_form(countries.__contains__), sent, partial=partial)
    except InvalidForm as invalid:
        raise refused_form(400, invalid) from invalid


def _saved(ident: UUID, values: Mapping[str, Any], before: SavedAddress | None) -> SavedAddress:
    return SavedAddress(
        ident,
        mapping.address(values, before.address if before else None),
        bool(values.get("is_default_for_shipping", before is not None and before.default_shipping)),
        bool(values.get("is_default_for_billing", before is not None and before.default_billing)),
    )


async def _write(uow: UnitOfWork, visit: Visit, one: SavedAddress) -> None:
    customer = (await locked_customer(uow, (await accounts.mine(uow, visit)).id)).value
    others = [other for other in customer.addresses if other.id != one.id]
    if any(_same(other.address, one.address) for other in others):
        raise Refused(400, {"non_field_errors": [_DUPLICATE]})
    book = mapping.book(customer.addresses, one)
    if len(book) > MOST_ADDRESSES:
        raise Refused(400, {"non_field_errors": [f"{MOST_ADDRESSES} addresses are the most"]})
    await save_customer(uow, customer, replaced(customer, addresses=book), visit.doing)


def _same(left: PostalAddress, right: PostalAddress) -> bool:
    return all(getattr(left, name) == getattr(right, name) for name in _SAME)


async def _found(uow: UnitOfWork, visit: Visit) -> SavedAddress:
    address_id = await SqlNumbers(uow).who(ADDRESS, visit.argument())
    for one in (await accounts.mine(uow, visit)).addresses:
        if one.id == address_id:
            return one
    raise missing("UserAddress")


async def _bodies(
    uow: UnitOfWork, visit: Visit, book: Sequence[SavedAddress]
) -> list[mapping.Json]:
    keys = await SqlNumbers(uow).of([one.id for one in book])
    countries = await SqlCountries(uow).some({one.address.country for one in book})

    def name(code: str) -> str:
        return countries[code].printable_name if code in countries else code

    ordered = sorted(book, key=lambda one: int(keys[one.id]))
    return [
        mapping.saved(visit.links, one, keys[one.id], name(one.address.country)) for one in ordered
    ]
