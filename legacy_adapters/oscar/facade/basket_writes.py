"""Changes of baskets, by the core's use cases and in oscar's words."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from legacy_adapters.oscar.facade import baskets, carts
from legacy_adapters.oscar.facade.visit import Refused, Reply, Visit, refused, refused_form
from legacy_adapters.oscar.facade.vouchers import vouchers
from legacy_adapters.oscar.mapping import baskets as mapping
from legacy_adapters.oscar.mapping.fields import (
    Field,
    InvalidField,
    InvalidForm,
    integer,
    link,
    linked_key,
    many,
    read_form,
    text,
)
from legacy_adapters.oscar.mapping.records import SYSTEM
from new_core.domain.cart import MOST_UNITS_OF_A_LINE, Cart
from new_core.domain.cart_lines import Wish
from new_core.domain.catalog import Stored
from new_core.domain.totals import CouponProblem
from new_core.errors import Conflict
from new_core.ports import UnitOfWork
from new_core.service.cart_changes import (
    Mode,
    add_coupon,
    add_lines,
    remove_coupon,
)
from new_core.service.cart_changes import (
    change_line as change_quantity,
)
from new_core.service.cart_changes import (
    remove_line as take_out,
)
from new_core.service.inventory import can_be_had

_PRODUCT = r"/api/products/([0-9]+)/"
_PRODUCTS = re.compile(_PRODUCT)
_OPTION = r"/api/options/([0-9]+)/"
_UNAVAILABLE = "Unavailable"
_NOTHING_OFF = "Your cart does not qualify for a coupon discount"


async def add_product(visit: Visit) -> Reply:
    """Put units of a product into the client's basket."""
    sent = visit.sent()
    async with visit.house.database.writing() as uow:
        product_id, quantity = await _asked(uow, sent)
        stored = await carts.find_or_make(uow, visit)
        await _add(uow, visit, stored.value, product_id, quantity)
        changed = await carts.find_or_make(uow, visit)
        body = (await carts.shown(uow, visit, changed)).body
        await uow.commit()
        return Reply(200, body)


async def _asked(uow: UnitOfWork, sent: Any) -> tuple[UUID, int]:
    """The product and how many of it.

    Raises:
        Refused: 406, with what is wrong by field.
    """
    products: dict[str, UUID] = {}
    options: set[str] = set()
    if isinstance(sent, dict):
        try:
            key = linked_key(_PRODUCTS, sent.get("url"))
        except InvalidField:
            key = ""
        found = await uow.refs.internal(SYSTEM, "product", [key] if key else [])
        products = {one: ref.internal_id for one, ref in found.items()}
        options = (
            set((await uow.refs.every(SYSTEM, "option")).values()) if "options" in sent else set()
        )
    option = {
        "option": Field(link(_OPTION, options.__contains__)),
        "value": Field(text()),
    }
    form = {
        "quantity": Field(integer()),
        "url": Field(link(_PRODUCT, products.__contains__)),
        "options": Field(many(option), required=False, default=[]),
    }
    try:
        values = read_form(form, sent)
    except InvalidForm as invalid:
        raise Refused(406, {"reason": invalid.problems}) from invalid
    return products[values["url"]], values["quantity"]


async def _add(uow: UnitOfWork, visit: Visit, cart: Cart, product_id: UUID, quantity: int) -> None:
    """Add units, or take some off as oscar's clients do with a negative number.

    Raises:
        Refused: 406: that many cannot be bought.
    """
    variant = (await uow.catalog.variants([product_id])).get(product_id)
    had = await can_be_had(uow, [variant.id]) if variant is not None else {}
    if variant is None or variant.id not in had or not had[variant.id].purchasable:
        raise Refused(406, {"reason": _UNAVAILABLE})
    inside = [one for one in cart.lines if one.variant_id == variant.id]
    wanted = sum(one.quantity for one in inside) + quantity
    units = had[variant.id].units
    if units is not None and wanted > units:
        raise Refused(406, {"reason": f"a maximum of {units} can be bought"})
    plain = next((one for one in inside if not one.options), None)
    opening = carts.opening_of(cart)
    try:
        if quantity > 0:
            wish = Wish(quantity, variant_id=variant.id)
            await add_lines(uow, opening, [wish], Mode.ATOMIC, visit.doing)
        elif plain is not None and quantity < 0:
            await _set(uow, visit, cart, plain.id, max(0, plain.quantity + quantity))
    except Conflict as conflict:
        raise Refused(406, {"reason": _reason(conflict)}) from conflict


async def _set(uow: UnitOfWork, visit: Visit, cart: Cart, line_id: UUID, quantity: int) -> None:
    """How many units a line holds; a line of none is no line here."""
    opening = carts.opening_of(cart)
    if quantity == 0:
        await take_out(uow, opening, line_id, visit.doing)
    else:
        await change_quantity(uow, opening, line_id, quantity, visit.doing)


def _reason(conflict: Conflict) -> str:
    return _UNAVAILABLE if conflict.code == "not_for_sale" else str(conflict)


async def add_voucher(visit: Visit) -> Reply:
    """Write a code into the client's basket; one that takes nothing off is not kept."""
    try:
        values = read_form({"vouchercode": Field(text(longest=128))}, visit.sent())
    except InvalidForm as invalid:
        raise refused_form(406, invalid) from invalid
    code = values["vouchercode"].upper()
    async with visit.house.database.writing() as uow:
        stored = await carts.find_or_make(uow, visit)
        try:
            view = await add_coupon(uow, carts.opening_of(stored.value), code, visit.doing)
        except Conflict as conflict:
            raise Refused(406, {"non_field_errors": [_coupon_words(code, conflict.code)]}) from None
        problems = dict(view.priced.coupon_problems)
        if code in problems or not any(one.coupon == code for one in view.priced.discounts):
            await remove_coupon(uow, carts.opening_of(stored.value), code, visit.doing)
            raise Refused(406, {"reason": _NOTHING_OFF})
        found = await vouchers(uow, visit, [code])
        body = mapping.voucher(visit.shop({}), found[code])
        await uow.commit()
        return Reply(200, body)


def _coupon_words(code: str, problem: str) -> str:
    return {
        CouponProblem.NOT_VALID.value: f"The '{code}' coupon has expired",
        CouponProblem.EXHAUSTED.value: "This coupon has already been used",
    }.get(problem, "Voucher code unknown")


async def add_line(visit: Visit) -> Reply:
    """A line by hand. Oscar lets a client choose the place that sells it, and its price."""
    async with visit.house.database.reading() as uow:
        await baskets.allowed(uow, visit, visit.argument())
    raise refused(405, 'Method "POST" not allowed.')


async def put_line(visit: Visit) -> Reply:
    """A line with how many units it holds; what else was sent has to be there, and stays."""
    sent = visit.sent()
    async with visit.house.database.reading() as uow:
        await baskets.own_line(uow, visit)
    needed = ("product", "basket", "stockrecord")
    absent = [one for one in needed if not isinstance(sent, dict) or one not in sent]
    if absent:
        raise Refused(400, {one: ["This field is required."] for one in absent})
    return await change_line(visit)


async def change_line(visit: Visit) -> Reply:
    """How many units a line holds."""
    form = {"quantity": Field(integer(least=0, most=MOST_UNITS_OF_A_LINE))}
    sent = visit.sent()
    async with visit.house.database.writing() as uow:
        stored, line_id = await baskets.own_line(uow, visit)
        try:
            quantity = read_form(form, sent, partial=True).get("quantity")
        except InvalidForm as invalid:
            raise refused_form(400, invalid) from invalid
        before = baskets.line_body(await carts.shown(uow, visit, stored), line_id)
        if quantity is None:
            return Reply(200, before)
        try:
            await _set(uow, visit, stored.value, line_id, quantity)
        except Conflict as conflict:
            raise Refused(400, {"quantity": [_reason(conflict)]}) from conflict
        body = _without_units(before)
        if quantity:
            body = baskets.line_body(await _again(uow, visit, stored), line_id)
        await uow.commit()
        return Reply(200, body)


async def _again(uow: UnitOfWork, visit: Visit, stored: Stored[Cart]) -> carts.Shown:
    changed = await uow.carts.get(stored.value.id)
    return await carts.shown(uow, visit, changed or stored)


def _without_units(body: mapping.Json) -> mapping.Json:
    """What oscar says of a line that holds nothing any more."""
    prices = (name for name in body if name.startswith("price_") and name != "price_currency")
    return {**body, "quantity": 0, **dict.fromkeys(prices, "0.00")}


async def remove_line(visit: Visit) -> Reply:
    """Take a line out."""
    async with visit.house.database.writing() as uow:
        stored, line_id = await baskets.own_line(uow, visit)
        await take_out(uow, carts.opening_of(stored.value), line_id, visit.doing)
        await uow.commit()
        return Reply(204, "")


async def empty(visit: Visit) -> Reply:
    """Empty a basket. Oscar deletes it, and makes a new one at the next look."""
    async with visit.house.database.writing() as uow:
        stored = await baskets.allowed(uow, visit, visit.argument())
        for one in stored.value.lines:
            await take_out(uow, carts.opening_of(stored.value), one.id, visit.doing)
        await uow.commit()
        return Reply(204, "")
