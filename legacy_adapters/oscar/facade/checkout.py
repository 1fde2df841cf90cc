"""From a basket to its order: oscar's one request is the core's checkout from end to end."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from legacy_adapters.oscar.facade import carts, orders
from legacy_adapters.oscar.facade.places import known_countries
from legacy_adapters.oscar.facade.visit import Refused, Reply, Visit
from legacy_adapters.oscar.mapping import orders as mapping
from legacy_adapters.oscar.mapping.addresses import address, billing_form, shipping_form
from legacy_adapters.oscar.mapping.baskets import money
from legacy_adapters.oscar.mapping.fields import (
    Field,
    InvalidField,
    InvalidForm,
    decimal,
    email,
    link,
    linked_key,
    nested,
    read_form,
    text,
    whole,
)
from legacy_adapters.oscar.storage import SqlNumbers
from new_core.domain.cart import Cart, CartState
from new_core.domain.cart_access import Opening
from new_core.domain.catalog import Stored
from new_core.domain.money import Money
from new_core.domain.order_placing import Wishes
from new_core.domain.payment import CaptureMode, PaymentMethod
from new_core.errors import Conflict
from new_core.ports import RequestKey, UnitOfWork
from new_core.service.cart_changes import change_cart
from new_core.service.carting import CartView
from new_core.service.checkout import Complete, begin_checkout, start
from new_core.service.shipping import quotes

_BASKET = r"/api/baskets/([0-9]+)/"
_BASKETS = re.compile(_BASKET)
_LOCKED_FOR, _KEPT_FOR = timedelta(seconds=60), timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client wants to order, read and checked."""

    cart: Stored[Cart]
    values: Mapping[str, Any]


async def check_out(visit: Visit) -> Reply:
    """Order a basket; what the client says of its price must be right.

    1. A client sends it twice at once, 2. both find the basket open. The core makes one order
    of a cart: whoever comes second finds it frozen or ordered, and is told what oscar tells,
    that it is not theirs any more.
    """
    sent = visit.sent()
    async with visit.house.database.writing() as uow:
        asked = await _read(uow, visit, sent)
        view = await _fill(uow, visit, asked)
        _check_sums(asked, view)
        try:
            begun, _ = await begin_checkout(uow, Opening(view.stored.value.id), visit.doing)
        except Conflict as conflict:
            raise _refusal(conflict) from conflict
    total = Money(view.priced.total_minor, view.priced.currency)
    cart = view.stored.value
    body = json.dumps(sent, sort_keys=True).encode()
    request = RequestKey(
        f"oscar-basket:{cart.id}", "POST /api/checkout/", str(cart.id),
        hashlib.sha256(body).hexdigest(),
    )  # fmt: skip
    complete = Complete(begun.value.id, "", total, PaymentMethod(), CaptureMode.LATER, Wishes())
    async with visit.house.database.writing() as uow:
        until, gone = visit.at + _LOCKED_FOR, visit.at + _KEPT_FOR
        try:
            await uow.idempotency.begin(request, visit.at, locked_until=until, expires_at=gone)
            progress = await start(uow, complete, request, visit.doing, visit.terms.checkout)
        except Conflict as conflict:
            raise _refusal(conflict) from conflict
        if progress.order is None:
            raise _unauthorised()
        body_of = await orders.placed(uow, visit, progress.order)
        await uow.commit()
        return Reply(200, body_of)


async def _read(uow: UnitOfWork, visit: Visit, sent: Any) -> Asked:
    """Whose basket it is comes before what was sent with it, as in oscar.

    Raises:
        Refused: 400, 401 or 406.
    """
    wanted = sent.get("basket") if isinstance(sent, dict) else None
    try:
        number = linked_key(_BASKETS, wanted)
    except InvalidField as invalid:
        raise Refused(400, invalid.problems) from invalid
    cart_id = await SqlNumbers(uow).who(carts.BASKET, number)
    if cart_id is None:
        raise Refused(400, ["Invalid hyperlink - Object does not exist."])
    own = await carts.find(uow, visit)
    stored = await uow.carts.locked(cart_id)
    if own is None or stored is None or own.value.id != cart_id:
        raise _unauthorised()
    if stored.value.state is not CartState.OPEN:
        raise _unauthorised()
    countries = await known_countries(uow, sent)
    try:
        values = read_form(_form(countries.__contains__, visit.terms.currency), sent)
        _check_person(visit, values)
    except InvalidForm as invalid:
        raise Refused(406, invalid.problems) from invalid
    return Asked(stored, values)


def _form(exists: Any, currency: str) -> dict[str, Field]:
    charge = {
        "currency": Field(text(longest=12), required=False, default=currency),
        "excl_tax": Field(decimal()),
        "incl_tax": Field(decimal(), required=False, default=None),
        "tax": Field(decimal(), required=False, default=None),
    }
    return {
        "basket": Field(link(_BASKET, lambda _: True)),
        "guest_email": Field(email(blank=True), required=False, default=""),
        "total": Field(decimal(), required=False, default=None),
        "shipping_method_code": Field(text(longest=128), required=False, default=""),
        "shipping_charge": Field(nested(charge), required=False, default=None),
        "shipping_address": Field(nested(shipping_form(exists)), required=False, default=None),
        "billing_address": Field(nested(billing_form(exists)), required=False, default=None),
    }


def _check_person(visit: Visit, values: Mapping[str, Any]) -> None:
    if visit.customer_id is None and not values["guest_email"]:
        raise whole("Guest email is required for anonymous checkouts")


async def _fill(uow: UnitOfWork, visit: Visit, asked: Asked) -> CartView:
    """Write addresses, e-mail address and way of shipping into the cart, and price it."""
    cart, values = asked.cart.value, asked.values
    if not cart.lines:
        raise Refused(406, {"non_field_errors": ["Cannot checkout with empty basket"]})
    ship, bill = values["shipping_address"], values["billing_address"]
    shipping = address(ship) if ship is not None else None
    billing = address(bill) if bill is not None else None
    mailbox = values["guest_email"]
    if visit.customer_id is not None:
        customer = await uow.customers.get(visit.customer_id)
        mailbox = customer.value.email if customer else ""
    where = shipping or billing
    destination = where.destination if where is not None else None
    offered = await quotes(uow, cart, destination, visit.at)
    wanted = [one.code for one in offered if one.code == values["shipping_method_code"]]
    code = next(iter([*wanted, *(one.code for one in offered)]), "")

    def fill(before: Cart) -> Cart:
        return replace(
            before, email=mailbox, shipping_address=shipping, billing_address=billing,
            shipping_code=code,
        )  # fmt: skip

    try:
        return await change_cart(
            uow, carts.opening_of(cart), "checkout_details_set", fill, visit.doing
        )
    except Conflict as conflict:
        raise _refusal(conflict) from conflict


def _check_sums(asked: Asked, view: CartView) -> None:
    """The client's own sums, where it told them, have to be ours.

    Raises:
        Refused: 406, with both.
    """
    priced = view.priced
    charge, total = asked.values["shipping_charge"], asked.values["total"]
    if charge is not None:
        net = priced.shipping.net_minor if priced.shipping else 0
        gross = priced.shipping.gross_minor if priced.shipping else 0
        ours = mapping.python_price(priced.currency, net, gross)
        theirs = mapping.sent_price(charge)
        if ours != theirs:
            message = f"Shipping price incorrect {theirs} != {ours}"
            raise Refused(406, {"non_field_errors": [message]})
    actual = money(priced.total_minor, priced.currency)
    if total is not None and total != Decimal(actual):
        message = f"Total incorrect {total} != {actual}"
        raise Refused(406, {"non_field_errors": [message]})


def _refusal(conflict: Conflict) -> Refused:
    """Why the core does not order it, in a form that clients of oscar read."""
    if conflict.code in _GONE:
        return _unauthorised()
    codes = {one.code for one in conflict.details}
    if "missing_shipping_address" in codes:
        return Refused(406, {"shipping_address": ["This field is required."]})
    reasons = [one.detail for one in conflict.details] or [str(conflict)]
    return Refused(406, {"non_field_errors": reasons})


_GONE = frozenset(
    {
        "cart_not_open", "cart_not_frozen", "checkout_in_progress", "checkout_completed",
        "request_in_flight",
    }
)  # fmt: skip


def _unauthorised() -> Refused:
    return Refused(401, "Unauthorized")
