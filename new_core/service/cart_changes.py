"""Use cases that change a cart. The caller commits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from new_core.domain.actor import Actor
from new_core.domain.buyer import Buyer
from new_core.domain.cart import MOST_COUPONS, Cart, CartLine, CartState, check_open, renewed
from new_core.domain.cart_access import Opening, check_access, check_version
from new_core.domain.cart_lines import (
    REFUSALS,
    Beside,
    Goods,
    Placed,
    RowRefusal,
    Shelf,
    Wish,
    changed_lines,
    place,
    refused_quantity,
)
from new_core.domain.catalog import Stored
from new_core.domain.currency import decimals
from new_core.domain.events import AuditEntry, Event
from new_core.domain.reservation import Want
from new_core.errors import Conflict, Detail, Forbidden, NotFound
from new_core.ports import UnitOfWork
from new_core.service.cart_goods import buyer_now, goods_for
from new_core.service.carting import CartView, view_cart
from new_core.service.doing import Doing
from new_core.service.pricing import prices_for

READ, WRITE = "carts:read", "carts:write"
_HARD = frozenset({"coupon_unknown", "coupon_not_valid", "coupon_exhausted"})


class Mode(StrEnum):
    """What becomes of a batch in which some rows are refused."""

    ATOMIC = "atomic"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Added:
    """What became of wishes.

    Attributes:
        version: of the cart now.
        placed: one per wish, in their order.
        goods: by variant, of all lines in `placed`.
    """

    version: int
    currency: str
    placed: tuple[Placed, ...]
    goods: Mapping[UUID, Goods]


@dataclass(frozen=True, slots=True)
class Changed:
    """A line after a change; `version` is the cart's."""

    version: int
    currency: str
    line: CartLine
    goods: Goods


async def open_cart(uow: UnitOfWork, opening: Opening, actor: Actor) -> Stored[Cart]:
    """A cart for who may read it.

    Raises:
        NotFound, Forbidden: see `check_access`.
    """
    stored = await uow.carts.get(opening.cart_id)
    check_access(stored.value if stored else None, opening, actor, READ)
    assert stored is not None  # noqa: S101 - check_access raised otherwise
    return stored


async def create_cart(
    uow: UnitOfWork, buyer: Buyer, token_sha256: str, email: str, doing: Doing
) -> Stored[Cart]:
    """A new, empty cart: a guest's, with the digest of its secret, or a customer's.

    Raises:
        InvalidValue: there is no such currency.
        NotFound: there is no such customer.
        Forbidden: it is for somebody whom the actor may not act for.
    """
    decimals(buyer.currency)
    actor = doing.actor
    if buyer.customer_id is not None:
        if not actor.reaches(WRITE, buyer):
            raise Forbidden(WRITE)
        found = await uow.customers.get(buyer.customer_id)
        if found is None:
            raise NotFound("customer", str(buyer.customer_id))
        buyer = replace(buyer, group_ids=found.value.group_ids)
    cart = Cart(
        doing.new_id(), buyer, CartState.OPEN, (), doing.at, doing.at,
        token_sha256=token_sha256, email=email,
    )  # fmt: skip
    stored = await uow.carts.put(renewed(cart, doing.at), doing.at)
    told = {"currency": buyer.currency, "channel": buyer.channel, "guest": bool(token_sha256)}
    await tell(uow, cart.id, "created", told, doing)
    return stored


async def add_lines(
    uow: UnitOfWork, opening: Opening, wishes: Sequence[Wish], mode: Mode, doing: Doing
) -> Added:
    """Put wishes into a cart, each told what became of it; a fixed number of queries, whatever
    the number of wishes and of lines that the cart has.

    The price that each line was told is kept with it, so that a later one is noticed.

    Raises:
        NotFound, Forbidden, ChangedMeanwhile: it is not theirs, or not as they saw it.
        Conflict: "cart_not_open"; "lines_refused" when all or nothing was asked for, with the
            reason per row.
    """
    ids = {one.variant_id for one in wishes if one.variant_id is not None}
    found = await uow.carts.goods(ids, {one.sku for one in wishes if one.sku is not None})
    known = {one.variant_id for one in found}
    stored, beside = await _beside(uow, opening, known, (), doing)
    found = await goods_for(uow, stored.value.buyer, found)
    goods = {one.variant_id: one for one in found}
    placed = place(beside, wishes, Shelf(found), doing.new_id)
    currency = stored.value.buyer.currency
    if mode is Mode.ATOMIC:
        _refuse_rows(placed)
    lines = changed_lines(beside, placed)
    if not lines:
        return Added(stored.version, currency, placed, goods)
    shown = {one.id: one for one in await _shown(uow, stored.value, lines, doing)}
    version = await _put(uow, stored.value, tuple(shown.values()), (), doing)
    is_one = len(wishes) == 1
    what = ("line_added" if placed[0].is_new else "line_changed") if is_one else "lines_changed"
    await tell(uow, stored.value.id, what, {"lines": _told(shown.values())}, doing)
    with_prices = tuple(
        one if one.line is None else replace(one, line=shown.get(one.line.id, one.line))
        for one in placed
    )
    return Added(version, currency, with_prices, goods)


async def change_line(
    uow: UnitOfWork, opening: Opening, line_id: UUID, quantity: int, doing: Doing
) -> Changed:
    """Set how many units a line holds.

    Raises:
        NotFound, Forbidden, ChangedMeanwhile: not there, not theirs, or not as they saw it.
        Conflict: "cart_not_open", or why a line may not hold so many.
    """
    stored, beside = await _beside(uow, opening, (), (line_id,), doing)
    line = _only(beside, line_id)
    found = await goods_for(uow, stored.value.buyer, await uow.carts.goods([line.variant_id]))
    is_sold = bool(found) and found[0].is_for_sale
    refusal = refused_quantity(found[0], quantity) if is_sold else RowRefusal.NOT_FOR_SALE
    if refusal is not None:
        raise Conflict(refusal.value, REFUSALS[refusal])
    currency = stored.value.buyer.currency
    shown = await _shown(uow, stored.value, [replace(line, quantity=quantity)], doing)
    if shown[0] == line:
        return Changed(stored.version, currency, line, found[0])
    version = await _put(uow, stored.value, shown, (), doing)
    await tell(uow, opening.cart_id, "line_changed", {"lines": _told(shown)}, doing)
    return Changed(version, currency, shown[0], found[0])


async def remove_line(uow: UnitOfWork, opening: Opening, line_id: UUID, doing: Doing) -> int:
    """Take a line out, and give the cart's version.

    Raises:
        NotFound, Forbidden, ChangedMeanwhile, Conflict: see `change_line`.
    """
    stored, beside = await _beside(uow, opening, (), (line_id,), doing)
    line = _only(beside, line_id)
    version = await _put(uow, stored.value, (), (line.id,), doing)
    gone = [replace(line, quantity=0)]
    await tell(uow, opening.cart_id, "line_removed", {"lines": _told(gone)}, doing)
    return version


async def change_cart(
    uow: UnitOfWork, opening: Opening, what: str, change: Callable[[Cart], Cart], doing: Doing
) -> CartView:
    """Change something of a cart besides its lines' quantities, and give it with its money.

    Raises:
        NotFound, Forbidden, ChangedMeanwhile, Conflict: as everywhere here, and as `change`.
    """
    stored = await uow.carts.locked(opening.cart_id)
    cart = check_access(stored.value if stored else None, opening, doing.actor, WRITE)
    assert stored is not None  # noqa: S101 - check_access raised otherwise
    check_open(cart)
    check_version(stored.version, opening)
    after = change(cart)
    if after == cart:
        return await view_cart(uow, stored, doing.at)
    written = await uow.carts.put(renewed(after, doing.at), doing.at)
    # Which fields, and never what is in them: addresses are somebody's.
    fields = [name for name in _FIELDS if getattr(after, name) != getattr(cart, name)]
    await tell(uow, cart.id, what, {"fields": fields}, doing)
    return await view_cart(uow, written, doing.at)


async def add_coupon(uow: UnitOfWork, opening: Opening, coupon: str, doing: Doing) -> CartView:
    """Write a coupon into a cart. One whose conditions are not met yet stays, as a problem.

    Raises:
        Conflict: why it is of no use: "coupon_unknown", "coupon_not_valid",
            "coupon_exhausted", "too_many_coupons".
        NotFound, Forbidden, ChangedMeanwhile: as everywhere here.
    """

    def add(cart: Cart) -> Cart:
        if coupon in cart.coupons:
            return cart
        if len(cart.coupons) >= MOST_COUPONS:
            raise Conflict("too_many_coupons", f"a cart has at most {MOST_COUPONS} coupons")
        return replace(cart, coupons=(*cart.coupons, coupon))

    view = await change_cart(uow, opening, "coupon_added", add, doing)
    for name, problem in view.priced.coupon_problems:
        if name == coupon and problem.value in _HARD:
            raise Conflict(problem.value, f"{coupon} gives nothing here")
    return view


async def remove_coupon(uow: UnitOfWork, opening: Opening, coupon: str, doing: Doing) -> CartView:
    """Take a coupon out of a cart; it need not be in it.

    Raises:
        NotFound, Forbidden, ChangedMeanwhile, Conflict: as everywhere here.
    """

    def remove(cart: Cart) -> Cart:
        return replace(cart, coupons=tuple(one for one in cart.coupons if one != coupon))

    return await change_cart(uow, opening, "coupon_removed", remove, doing)


async def accept_prices(uow: UnitOfWork, opening: Opening, doing: Doing) -> CartView:
    """The shopper has seen the prices as they are now: nothing counts as changed any more.

    Raises:
        NotFound, Forbidden, ChangedMeanwhile, Conflict: as everywhere here.
    """
    stored = await uow.carts.locked(opening.cart_id)
    cart = check_access(stored.value if stored else None, opening, doing.actor, WRITE)
    current = replace(cart, buyer=await buyer_now(uow, cart.buyer))
    shown = tuple(await _shown(uow, current, cart.lines, doing))
    return await change_cart(
        uow, opening, "prices_accepted", lambda cart: replace(cart, lines=shown), doing
    )


async def tell(
    uow: UnitOfWork, cart_id: UUID, what: str, told: Mapping[str, object], doing: Doing
) -> None:
    """Write what happened to a cart for other modules and for the audit."""
    event = Event(f"carts.cart.{what}.v1", "cart", cart_id, told)
    entry = AuditEntry(f"cart.{what}", "cart", str(cart_id), after=told)
    await uow.outbox.add([event], doing.actor, doing.at)
    await uow.audit.add([entry], doing.actor, doing.at)


_FIELDS = (
    "lines", "coupons", "email", "shipping_code", "shipping_address", "billing_address", "buyer",
)  # fmt: skip


async def _beside(
    uow: UnitOfWork,
    opening: Opening,
    variant_ids: Collection[UUID],
    line_ids: tuple[UUID, ...],
    doing: Doing,
) -> tuple[Stored[Cart], Beside]:
    """A locked cart that the actor may change now, and the lines that matter."""
    found = await uow.carts.locked_beside(opening.cart_id, variant_ids, line_ids)
    cart = check_access(found[0].value if found else None, opening, doing.actor, WRITE)
    assert found is not None  # noqa: S101 - check_access raised otherwise
    check_open(cart)
    check_version(found[0].version, opening)
    current = replace(cart, buyer=await buyer_now(uow, cart.buyer))
    return replace(found[0], value=current), found[1]


async def _shown(
    uow: UnitOfWork, cart: Cart, lines: Sequence[CartLine], doing: Doing
) -> list[CartLine]:
    """The lines with the price that they have now."""
    wants = [Want(one.variant_id, one.quantity) for one in lines]
    traces = await prices_for(uow, cart.buyer, wants, doing.at)
    prices = [traces[want].unit_price for want in wants]
    return [
        replace(line, shown_micro=price.micro if price else None)
        for line, price in zip(lines, prices, strict=True)
    ]


async def _put(
    uow: UnitOfWork,
    cart: Cart,
    lines: Sequence[CartLine],
    removed: Sequence[UUID],
    doing: Doing,
) -> int:
    return await uow.carts.put_lines(renewed(cart, doing.at), lines, removed, doing.at)


def _only(beside: Beside, line_id: UUID) -> CartLine:
    for line in beside.lines:
        if line.id == line_id:
            return line
    raise NotFound("cart line", str(line_id))


def _refuse_rows(placed: Sequence[Placed]) -> None:
    refused = [(n, one.refusal) for n, one in enumerate(placed) if one.refusal is not None]
    if len(placed) == 1 and refused:
        only = refused[0][1]
        raise Conflict(only.value, REFUSALS[only])
    if refused:
        details = (Detail(f"/lines/{n}", one.value, REFUSALS[one]) for n, one in refused)
        raise Conflict("lines_refused", f"{len(refused)} line(s) were refused", tuple(details))


def _told(lines: Iterable[CartLine]) -> list[dict[str, object]]:
    return [
        {"line_id": str(one.id), "variant_id": str(one.variant_id), "quantity": one.quantity}
        for one in lines
    ]
