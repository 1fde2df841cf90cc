"""Looks at baskets. A look that finds none makes one, as oscar's does, unless it is a shadow's."""

from __future__ import annotations

from uuid import UUID

from legacy_adapters.oscar.facade import carts
from legacy_adapters.oscar.facade.carts import Shown
from legacy_adapters.oscar.facade.places import known_countries
from legacy_adapters.oscar.facade.visit import Refused, Reply, Visit, missing, refused, refused_form
from legacy_adapters.oscar.mapping import baskets as mapping
from legacy_adapters.oscar.mapping.addresses import address, shipping_form
from legacy_adapters.oscar.mapping.fields import InvalidForm, read_form
from legacy_adapters.oscar.storage import SqlNumbers
from new_core.domain.buyer import Buyer, Destination
from new_core.domain.cart import Cart, CartState
from new_core.domain.catalog import Stored
from new_core.ports import UnitOfWork
from new_core.service.carting import view_cart
from new_core.service.shipping import quotes

NOT_YOURS = "Authentication credentials were not provided."
NOT_ALLOWED = "You do not have permission to perform this action."


async def mine(visit: Visit) -> Reply:
    """The client's basket."""
    return Reply(200, (await look(visit)).body)


async def all_of_mine(visit: Visit) -> Reply:
    """The client's baskets, of which there is one."""
    return Reply(200, [(await look(visit)).body])


async def look(visit: Visit) -> Shown:
    """The client's basket, made where there is none."""
    async with visit.house.database.reading() as uow:
        stored = await carts.find(uow, visit)
        if stored is not None:
            known = await carts.keys_of(uow, stored.value)
            if not carts.needs_numbers(stored.value, known):
                return await carts.shown(uow, visit, stored)
        if visit.is_shadow:
            return await _as_if_made(uow, visit, stored)
    async with visit.house.database.writing() as uow:
        stored = await carts.find_or_make(uow, visit)
        found = await carts.shown(uow, visit, stored)
        await uow.commit()
        return found


async def _as_if_made(uow: UnitOfWork, visit: Visit, stored: Stored[Cart] | None) -> Shown:
    """What a shopper would see, of whom a shadow must leave nothing behind."""
    numbers = SqlNumbers(uow)
    if stored is None:
        buyer = Buyer(visit.terms.currency, customer_id=visit.customer_id)
        new = Cart(visit.house.new_id(), buyer, CartState.OPEN, (), visit.at, visit.at)
        stored = Stored(new, 1, visit.at)
    cart = stored.value
    known = await carts.keys_of(uow, cart)
    own: dict[UUID, str] = {}
    for entity_type, ids in (
        (carts.BASKET, [cart.id]),
        (carts.LINE, [one.id for one in cart.lines]),
        (carts.USER, [one for one in (cart.buyer.customer_id,) if one is not None]),
    ):
        following = int(await numbers.next(entity_type))
        fresh = [one for one in ids if one not in known]
        own |= {one: str(following + index) for index, one in enumerate(fresh)}
    return await carts.shown_view(uow, visit, await view_cart(uow, stored, visit.at), own)


async def allowed(uow: UnitOfWork, visit: Visit, number: str) -> Stored[Cart]:
    """An open basket that is the client's.

    Oscar hands any basket to whoever asks for a line of it; here it stays its owner's.

    Raises:
        Refused: 404 for one that is not there or not open any more, 403 for somebody else's.
    """
    cart_id = await SqlNumbers(uow).who(carts.BASKET, number)
    stored = await uow.carts.get(cart_id) if cart_id is not None else None
    if stored is None or stored.value.state is not CartState.OPEN:
        raise missing("Basket")
    own = await carts.find(uow, visit)
    if own is None or own.value.id != stored.value.id:
        raise refused(403, NOT_YOURS if visit.customer_id is None else NOT_ALLOWED)
    return stored


async def one(visit: Visit) -> Reply:
    """A basket by its number; writing one changes nothing that a client may change."""
    async with visit.house.database.reading() as uow:
        stored = await allowed(uow, visit, visit.argument())
        return Reply(200, (await carts.shown(uow, visit, stored)).body)


async def lines(visit: Visit) -> Reply:
    """The lines of a basket."""
    async with visit.house.database.reading() as uow:
        stored = await allowed(uow, visit, visit.argument())
        return Reply(200, (await carts.shown(uow, visit, stored)).line_bodies())


async def line(visit: Visit) -> Reply:
    """One line of a basket."""
    async with visit.house.database.reading() as uow:
        stored, line_id = await own_line(uow, visit)
        found = await carts.shown(uow, visit, stored)
        return Reply(200, line_body(found, line_id))


async def own_line(uow: UnitOfWork, visit: Visit) -> tuple[Stored[Cart], UUID]:
    """A line that the path names, with its basket.

    Raises:
        Refused: 404: there is none, or it is not the client's.
    """
    line_id = await SqlNumbers(uow).who(carts.LINE, visit.argument(1))
    try:
        stored = await allowed(uow, visit, visit.argument())
    except Refused as no:
        if no.reply.status == 404:
            raise
        raise missing("Line") from no
    if line_id is None or all(one.id != line_id for one in stored.value.lines):
        raise missing("Line")
    return stored, line_id


def line_body(found: Shown, line_id: UUID) -> mapping.Json:
    """One line's own answer.

    Raises:
        Refused: 404: oscar has no word for it.
    """
    for one in found.lines:
        if one.line.id == line_id:
            return mapping.line(found.keys, found.basket, one)
    raise missing("Line")


async def shipping_methods(visit: Visit) -> Reply:
    """The ways of shipping before anybody has said where to."""
    return await _shipping_methods(visit, None)


async def shipping_methods_to(visit: Visit) -> Reply:
    """The ways of shipping to an address."""
    sent = visit.sent()
    async with visit.house.database.reading() as uow:
        countries = await known_countries(uow, sent)
    try:
        values = read_form(shipping_form(countries.__contains__), sent)
    except InvalidForm as invalid:
        raise refused_form(406, invalid) from invalid
    return await _shipping_methods(visit, address(values).destination)


async def _shipping_methods(visit: Visit, destination: Destination | None) -> Reply:
    found = await look(visit)
    cart = found.view.stored.value
    if not found.view.facts.shipping.ships:
        currency = cart.buyer.currency if cart.lines else None
        return Reply(200, [mapping.nothing_to_ship(currency)])
    async with visit.house.database.reading() as uow:
        offered = await quotes(uow, cart, destination, visit.at)
    return Reply(200, [mapping.shipping_method(one) for one in offered])
