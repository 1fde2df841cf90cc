"""The core's orders as oscar's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from legacy_adapters.oscar.mapping.addresses import Printed
from legacy_adapters.oscar.mapping.answers import Shop
from legacy_adapters.oscar.mapping.baskets import Sums, Voucher, money, voucher
from new_core.domain.address import PostalAddress
from new_core.domain.order import Order, OrderLine, OrderStatus
from new_core.domain.totals import DiscountKind

Json = dict[str, Any]

STATUSES: Mapping[OrderStatus, str] = {
    OrderStatus.DRAFT: "Pending",
    OrderStatus.PENDING_APPROVAL: "Pending",
    OrderStatus.PENDING_PAYMENT: "Pending",
    OrderStatus.PLACED: "Pending",
    OrderStatus.PROCESSING: "Being processed",
    OrderStatus.ON_HOLD: "Being processed",
    OrderStatus.COMPLETED: "Complete",
    OrderStatus.CANCELLED: "Cancelled",
}
"""What the shop's pipeline calls each of the core's states."""

NOBODYS = UUID(int=0)
"""In the place of an offer that is not known; oscar does not show what it took off."""

_PAYMENT_URL = (
    "You need to implement a view named 'api-payment' which redirects to the payment provider "
    "and sets up the callbacks."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """An order, as far as oscar shows it.

    Attributes:
        country_names: printed names by code.
        vouchers: by code in upper case.
        was_read: whether it comes from the shop's books, and was not placed just now.
        email: where oscar writes to now: a customer's own, a guest's as they gave it.
        bill_to: the billing address that the client sent; the core bills the shipping address
            where none was, and oscar nobody.
    """

    order: Order
    country_names: Mapping[str, str]
    vouchers: Mapping[str, Voucher]
    was_read: bool
    email: str
    bill_to: PostalAddress | None


def order(shop: Shop, shown: Shown) -> Json:
    """An order."""
    one, links = shown.order, shop.links
    key, currency = shop.keys[one.id], one.buyer.currency
    owner, shipping = one.buyer.customer_id, one.shipping
    net = one.total_minor - sum(tax.minor for tax in one.taxes)
    is_lost = one.cart_id == no_cart(one.id)
    return {
        "number": one.number,
        "basket": None if is_lost else links.basket(shop.keys[one.cart_id]),
        "url": links.order(key),
        "lines": links.order(key, "lines"),
        "owner": None if owner is None else links.user(shop.keys[owner]),
        "billing_address": _printed(shop, shown, shown.bill_to, is_billing=True),
        "currency": currency,
        "total_incl_tax": money(one.total_minor, currency),
        "total_excl_tax": money(net, currency),
        "shipping_incl_tax": money(shipping.gross_minor if shipping else 0, currency),
        "shipping_excl_tax": money(shipping.net_minor if shipping else 0, currency),
        "shipping_address": _printed(shop, shown, one.shipping_address),
        "shipping_method": shipping.name if shipping else "No shipping required",
        "shipping_code": shipping.code if shipping else "no-shipping-required",
        "status": STATUSES[one.status],
        "email": shown.email,
        "date_placed": shop.moment(one.placed_at or one.created_at),
        "payment_url": _PAYMENT_URL,
        "offer_discounts": [
            {"description": each.name, "name": each.name, "amount": money(each.minor, currency)}
            for each in one.discounts
            if not each.coupon
            and each.kind is not DiscountKind.SHIPPING
            and each.promotion_id != NOBODYS
        ],
        "voucher_discounts": [
            {
                "description": each.coupon.upper(),
                "name": each.name,
                "amount": money(each.minor, currency),
                "voucher": _voucher(shop, shown, each.coupon.upper()),
            }
            for each in one.discounts
            if each.coupon and each.kind is not DiscountKind.SHIPPING
        ],
        "surcharges": [],
    }


def address_ids(order_id: UUID) -> tuple[UUID, UUID]:
    """Ids of where an order's goods and its bill go: things of their own in oscar."""
    return uuid5(order_id, "shipping_address"), uuid5(order_id, "billing_address")


def no_cart(order_id: UUID) -> UUID:
    """In the place of an order's cart where oscar's basket is gone."""
    return uuid5(order_id, "no cart")


def no_product(line_id: UUID) -> UUID:
    """In the place of a line's product where oscar's is gone."""
    return uuid5(line_id, "no product")


def _voucher(shop: Shop, shown: Shown, code: str) -> Json | None:
    """A code, if there is a promotion for it still."""
    return voucher(shop, shown.vouchers[code]) if code in shown.vouchers else None


def _printed(
    shop: Shop, shown: Shown, address: PostalAddress | None, *, is_billing: bool = False
) -> Json | None:
    if address is None:
        return None
    ship_to, bill_to = address_ids(shown.order.id)
    number = shop.number(bill_to if is_billing else ship_to)
    name = shown.country_names.get(address.country, address.country)
    printed = Printed(address, number, name, shown.was_read)
    return printed.billing(shop.links) if is_billing else printed.shipping(shop.links)


def line(shop: Shop, of: Order, one: OrderLine, stock_level_id: UUID | None) -> Json:
    """A line of an order."""
    links, currency = shop.links, of.buyer.currency
    sums = Sums.of([one], tax_included=of.tax_included)
    product = shop.keys.get(one.product_id)
    level = shop.keys.get(stock_level_id) if stock_level_id is not None else None
    known = product is not None and level is not None
    return {
        "attributes": [],
        "url": links.order_line(shop.keys[one.id]),
        "product": links.product(product) if product is not None else None,
        "stockrecord": links.stock_record(str(product), str(level)) if known else None,
        "quantity": one.quantity,
        "price_currency": currency,
        "price_excl_tax": money(sums.net, currency),
        "price_incl_tax": money(sums.gross, currency),
        "price_incl_tax_excl_discounts": money(sums.gross_before, currency),
        "price_excl_tax_excl_discounts": money(sums.net_before, currency),
        "order": links.order(shop.keys[of.id]),
    }


def python_price(currency: str, net_minor: int, gross_minor: int) -> str:
    """A price as oscar's messages have it."""
    net, gross = Decimal(money(net_minor, currency)), Decimal(money(gross_minor, currency))
    return _price(currency, net, gross)


def sent_price(sent: Mapping[str, Any]) -> str:
    """The same of a price that a client sent: the tax may be left out, or told instead of the
    price with it.
    """
    net = sent["excl_tax"]
    gross = sent["incl_tax"]
    if gross is None:
        gross = net + (sent["tax"] if sent["tax"] is not None else Decimal(0))
    return _price(sent["currency"], net, gross)


def _price(currency: str, net: Decimal, gross: Decimal) -> str:
    values = f"excl_tax={net!r}, incl_tax={gross!r}, tax={gross - net!r}"
    return f"Price(currency={currency!r}, {values})"
