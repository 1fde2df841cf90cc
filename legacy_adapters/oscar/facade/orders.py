"""A customer's orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from legacy_adapters.oscar.facade import carts
from legacy_adapters.oscar.facade.visit import Reply, Visit, missing
from legacy_adapters.oscar.facade.vouchers import vouchers_of
from legacy_adapters.oscar.mapping import orders as mapping
from legacy_adapters.oscar.mapping.sync_order_documents import placed_in_oscar
from legacy_adapters.oscar.mapping.sync_order_reading import BILL_TO_TYPE, SHIP_TO_TYPE
from legacy_adapters.oscar.storage import SqlCountries, SqlNumbers
from new_core.domain.address import PostalAddress
from new_core.domain.order import Order
from new_core.domain.stock import sold_from
from new_core.ports import OrderQuery, UnitOfWork

ORDER, ORDER_LINE = "order", "order_line"
_MOST = 200


async def all_of_mine(visit: Visit) -> Reply:
    """The customer's orders, newest first; of a great many the newest."""
    async with visit.house.database.reading() as uow:
        found = await _newest(uow, visit)
        known = await SqlNumbers(uow).of(_ids(found))
        if set(_ids(found)) <= set(known) or visit.is_shadow:
            kept = [one for one in found if set(_ids([one])) <= set(known)]
            return Reply(200, [await _body(uow, visit, one) for one in kept])
    async with visit.house.database.writing() as uow:
        for one in found:
            await give_numbers(uow, visit, one)
        bodies = [await _body(uow, visit, one) for one in found]
        await uow.commit()
        return Reply(200, bodies)


async def one(visit: Visit) -> Reply:
    """One of them."""
    async with visit.house.database.reading() as uow:
        found = await _mine(uow, visit, visit.argument())
        if found is None:
            raise missing("Order")
        return Reply(200, await _body(uow, visit, found))


async def lines(visit: Visit) -> Reply:
    """The lines of one of them; of somebody else's order nothing."""
    async with visit.house.database.reading() as uow:
        found = await _mine(uow, visit, visit.argument())
        return Reply(200, [] if found is None else await _line_bodies(uow, visit, found))


async def line(visit: Visit) -> Reply:
    """One line of one of them."""
    async with visit.house.database.reading() as uow:
        line_id = await SqlNumbers(uow).who(ORDER_LINE, visit.argument())
        for found in await _newest(uow, visit) if line_id is not None else ():
            for at, one in enumerate(found.lines):
                if one.id == line_id:
                    return Reply(200, (await _line_bodies(uow, visit, found))[at])
    raise missing("Line")


async def placed(uow: UnitOfWork, visit: Visit, order: Order) -> mapping.Json:
    """An order that this client has just placed."""
    await give_numbers(uow, visit, order)
    return await _body(uow, visit, order, was_read=False)


async def give_numbers(uow: UnitOfWork, visit: Visit, order: Order) -> None:
    """Everything that oscar's clients see of an order has a number."""
    numbers = SqlNumbers(uow)
    if order.cart_id != mapping.no_cart(order.id):
        await numbers.give(carts.BASKET, [order.cart_id], visit.at)
    await numbers.give(ORDER, [order.id], visit.at)
    # Oscar counts its two tables of addresses on their own.
    for kind, address_id in _addresses(order):
        await numbers.give(kind, [address_id], visit.at)
    await numbers.give(ORDER_LINE, [one.id for one in order.lines], visit.at)
    if order.buyer.customer_id is not None:
        await numbers.give(carts.USER, [order.buyer.customer_id], visit.at)


async def _newest(uow: UnitOfWork, visit: Visit) -> list[Order]:
    query = OrderQuery(_MOST, newest_first=True, customer_id=visit.customer_id, with_lines=True)
    return [one.value for one in await uow.orders.page(query)]


async def _mine(uow: UnitOfWork, visit: Visit, number: str) -> Order | None:
    order_id = await SqlNumbers(uow).who(ORDER, number)
    found = await uow.orders.get(order_id) if order_id is not None else None
    if found is None or found.value.buyer.customer_id != visit.customer_id:
        return None
    return found.value


def _addresses(order: Order) -> Iterable[tuple[str, UUID]]:
    """Kinds and ids of the addresses that it has."""
    ship_to, bill_to = mapping.address_ids(order.id)
    if order.shipping_address is not None:
        yield SHIP_TO_TYPE, ship_to
    if order.billing_address is not None:
        yield BILL_TO_TYPE, bill_to


def _ids(orders: Iterable[Order]) -> list[UUID]:
    found = []
    for one in orders:
        found += [one.id, *(address_id for _, address_id in _addresses(one))]
        if one.cart_id != mapping.no_cart(one.id):
            found.append(one.cart_id)
        found += [line.id for line in one.lines]
        if one.buyer.customer_id is not None:
            found.append(one.buyer.customer_id)
    return found


async def _body(
    uow: UnitOfWork, visit: Visit, order: Order, *, was_read: bool = True
) -> mapping.Json:
    keys = await SqlNumbers(uow).of(_ids([order]))
    bill_to = await _bill_to(uow, order)
    codes = {one.country for one in (order.shipping_address, bill_to) if one is not None}
    countries = await SqlCountries(uow).some(codes)
    shown = mapping.Shown(
        order=order,
        country_names={code: one.printable_name for code, one in countries.items()},
        vouchers=await vouchers_of(uow, visit, order.discounts),
        was_read=was_read,
        email=await _mailbox(uow, order),
        bill_to=bill_to,
    )
    return mapping.order(visit.shop(keys), shown)


async def _bill_to(uow: UnitOfWork, order: Order) -> PostalAddress | None:
    """Where the bill goes, if somebody said so. The core bills the shipping address where
    nobody did; the cart knows, and an order that was placed in oscar has what oscar had.
    """
    billed = order.billing_address
    if placed_in_oscar(order.id) or billed != order.shipping_address:
        return billed
    cart = await uow.carts.get(order.cart_id)
    return cart.value.billing_address if cart is not None else None


async def _mailbox(uow: UnitOfWork, order: Order) -> str:
    if order.buyer.customer_id is None:
        return order.email
    customer = await uow.customers.get(order.buyer.customer_id)
    return customer.value.email if customer is not None else order.email


async def _line_bodies(uow: UnitOfWork, visit: Visit, order: Order) -> Sequence[mapping.Json]:
    products = {one.product_id for one in order.lines}
    stock = await uow.stock.lines(products)
    places: dict[UUID, UUID] = {}
    for product_id, some in stock.items():
        source = sold_from([one.level.value for one in some])
        if source is not None:
            places[product_id] = source.id
    own = {one.stock_level_id for one in order.lines if one.stock_level_id is not None}
    keys = await SqlNumbers(uow).of([*_ids([order]), *products, *places.values(), *own])
    shop = visit.shop(keys)
    is_legacys = placed_in_oscar(order.id)
    return [
        mapping.line(
            shop, order, one,
            one.stock_level_id if is_legacys else places.get(one.product_id),
        )
        for one in order.lines
    ]  # fmt: skip
