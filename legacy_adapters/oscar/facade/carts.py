"""The client's own cart: found, made, numbered and shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from legacy_adapters.oscar.facade.visit import Visit
from legacy_adapters.oscar.facade.vouchers import vouchers_of
from legacy_adapters.oscar.mapping import baskets as mapping
from legacy_adapters.oscar.mapping.answers import Shop
from legacy_adapters.oscar.storage import SqlNumbers
from new_core.domain.buyer import Buyer
from new_core.domain.cart import Cart, CartState
from new_core.domain.cart_access import Opening
from new_core.domain.catalog import Stored
from new_core.domain.stock import sold_from
from new_core.ports import UnitOfWork
from new_core.service.cart_changes import create_cart
from new_core.service.carting import CartView, view_cart

BASKET, LINE, USER = "basket", "basket_line", "user"


@dataclass(frozen=True, slots=True)
class Shown:
    """A cart, ready to be written as a basket.

    Attributes:
        keys: oscar's keys of all that is in it.
    """

    view: CartView
    basket: mapping.Basket
    lines: tuple[mapping.Line, ...]
    keys: Shop

    @property
    def body(self) -> mapping.Json:
        """The basket as its own answer."""
        return mapping.basket(self.keys, self.basket)

    def line_bodies(self) -> list[mapping.Json]:
        """Its lines as theirs."""
        return [mapping.line(self.keys, self.basket, one) for one in self.lines]


def opening_of(cart: Cart) -> Opening:
    """How this client comes to a cart that was found to be theirs."""
    return Opening(cart.id)


async def find(uow: UnitOfWork, visit: Visit) -> Stored[Cart] | None:
    """The client's open cart; None while there is none."""
    cart_id = visit.session.cart_id
    if visit.customer_id is not None:
        currency = visit.terms.currency
        cart_id = await uow.carts.open_of(visit.customer_id, currency, "")
    stored = await uow.carts.get(cart_id) if cart_id is not None else None
    if stored is None or stored.value.state is not CartState.OPEN:
        return None
    return stored if stored.value.buyer.customer_id == visit.customer_id else None


async def find_or_make(uow: UnitOfWork, visit: Visit) -> Stored[Cart]:
    """The client's open cart, made where there is none, and kept in the session."""
    stored = await find(uow, visit)
    if stored is None:
        buyer = Buyer(visit.terms.currency, customer_id=visit.customer_id)
        stored = await create_cart(uow, buyer, "", "", visit.doing)
    if visit.session.cart_id != stored.value.id or not visit.session.key_sha256:
        await visit.remember(uow, replace(visit.session, cart_id=stored.value.id))
    await give_numbers(uow, visit, stored.value)
    return stored


async def give_numbers(uow: UnitOfWork, visit: Visit, cart: Cart) -> None:
    """Every cart, line and owner that oscar's clients see has a number."""
    numbers = SqlNumbers(uow)
    await numbers.give(BASKET, [cart.id], visit.at)
    await numbers.give(LINE, [one.id for one in cart.lines], visit.at)
    if cart.buyer.customer_id is not None:
        await numbers.give(USER, [cart.buyer.customer_id], visit.at)


def needs_numbers(cart: Cart, known: Sequence[UUID] | dict[UUID, str]) -> bool:
    """Whether something in a cart has none yet, as one that was made elsewhere."""
    owner = cart.buyer.customer_id
    wanted = {cart.id, *(one.id for one in cart.lines), *([owner] if owner else [])}
    return not wanted <= set(known)


async def keys_of(uow: UnitOfWork, cart: Cart) -> dict[UUID, str]:
    """The numbers of a cart, its lines and its owner."""
    owner = cart.buyer.customer_id
    ids = [cart.id, *(one.id for one in cart.lines), *([owner] if owner else [])]
    return await SqlNumbers(uow).of(ids)


async def shown(uow: UnitOfWork, visit: Visit, stored: Stored[Cart]) -> Shown:
    """A cart with its money, in a fixed number of queries."""
    return await shown_view(uow, visit, await view_cart(uow, stored, visit.at))


async def shown_view(
    uow: UnitOfWork, visit: Visit, view: CartView, own: dict[UUID, str] | None = None
) -> Shown:
    """The same of a cart whose money was worked out; `own` has its numbers where they are
    not kept, as of one that is only looked at.
    """
    cart = view.stored.value
    goods = view.facts.goods
    products = {one.product_id for one in goods.values()}
    stock = await uow.stock.lines(products)
    places: dict[UUID, UUID] = {}
    for product_id, some in stock.items():
        source = sold_from([one.level.value for one in some])
        if source is not None:
            places[product_id] = source.id
    keys = await keys_of(uow, cart) | (own or {})
    keys |= await SqlNumbers(uow).of([*products, *places.values()])
    owner = cart.buyer.customer_id
    basket = mapping.Basket(
        number=keys[cart.id],
        owner=keys[owner] if owner is not None else None,
        priced=view.priced,
        vouchers=await vouchers_of(uow, visit, view.priced.discounts),
    )
    priced = {one.key: one for one in view.priced.lines}
    lines = []
    for one in cart.lines:
        known = goods.get(one.variant_id)
        # What was born in the core has no address that a client of oscar could follow.
        if known is None or known.product_id not in keys:
            continue
        level = places.get(known.product_id)
        units = view.facts.units.get(one.variant_id, 0)
        lines.append(
            mapping.Line(
                number=keys[one.id],
                line=one,
                priced=priced[one.id],
                product_id=known.product_id,
                stock_level_id=level if level in keys else None,
                title=known.title,
                is_available=known.is_for_sale and (units is None or units > 0),
                changed_at=view.stored.updated_at,
            )
        )
    # Oscar lists a basket by its lines' keys, and those of either side are in a range of their own.
    lines.sort(key=lambda one: int(one.number))
    return Shown(view, basket, tuple(lines), visit.shop(keys))
