"""Carts with their money as oscar's baskets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from legacy_adapters.oscar.mapping.answers import Shop
from new_core.domain.cart import CartLine
from new_core.domain.currency import decimals
from new_core.domain.order import OrderLine
from new_core.domain.shipping import ShippingQuote
from new_core.domain.totals import Discount, DiscountKind, PricedCart, PricedLine

Json = dict[str, Any]

_CENT = Decimal("0.01")
_ZERO = "0.00"


@dataclass(frozen=True, slots=True)
class Voucher:
    """What oscar shows of a code; times are None where it has no bounds."""

    name: str
    code: str
    starts_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Basket:
    """A cart, as far as oscar shows it.

    Attributes:
        number: its key in oscar.
        owner: the customer's key; None for a guest's.
        vouchers: by code in upper case.
    """

    number: str
    owner: str | None
    priced: PricedCart
    vouchers: Mapping[str, Voucher]


def money(minor: int, currency: str) -> str:
    """An amount as oscar writes it: two decimals, whatever the currency."""
    return str(Decimal(minor).scaleb(-decimals(currency)).quantize(_CENT))


def basket(shop: Shop, one: Basket) -> Json:
    """A basket. Shipping is not in its totals."""
    priced, links = one.priced, shop.links
    sums = Sums.of(priced.lines, tax_included=priced.tax_included)

    def written(minor: int) -> str:
        return money(minor, priced.currency)

    return {
        "id": int(one.number),
        "owner": None if one.owner is None else links.user(one.owner),
        "status": "Open",
        "lines": links.basket(one.number, "lines"),
        "url": links.basket(one.number),
        "total_excl_tax": written(sums.net),
        "total_excl_tax_excl_discounts": written(sums.net_before),
        "total_incl_tax": written(sums.gross),
        "total_incl_tax_excl_discounts": written(sums.gross_before),
        "total_tax": written(sums.gross - sums.net),
        "currency": priced.currency if priced.lines else None,
        "voucher_discounts": voucher_discounts(shop, priced.discounts, one),
        "offer_discounts": offer_discounts(priced.discounts, priced.currency),
        # The shop's strategy knows its taxes, also where there are none; of nothing it knows
        # nothing.
        "is_tax_known": bool(priced.lines),
    }


@dataclass(frozen=True, slots=True)
class Sums:
    """Money of lines, with and without taxes, after and before discounts; in minor units."""

    net: int
    net_before: int
    gross: int
    gross_before: int

    @classmethod
    def of(cls, lines: Iterable[PricedLine | OrderLine], *, tax_included: bool) -> Sums:
        """The sums over some lines.

        The tax of what was taken off is its share of the tax of what is left: where there is
        no tax, as in every shop with oscar's own strategies, this is exact.
        """
        found = [
            (one.net_minor, one.gross_minor, one.base_minor, _tax_before(one, tax_included))
            for one in lines
        ]
        return cls(
            net=sum(net for net, _, _, _ in found),
            net_before=sum(base - tax * tax_included for _, _, base, tax in found),
            gross=sum(gross for _, gross, _, _ in found),
            gross_before=sum(base + tax * (not tax_included) for _, _, base, tax in found),
        )


def _tax_before(one: PricedLine | OrderLine, tax_included: bool) -> int:
    """The tax of a line if nothing had been taken off, halves up."""
    tax = one.gross_minor - one.net_minor
    left = one.gross_minor if tax_included else one.net_minor
    return tax if left == 0 else (2 * tax * one.base_minor + left) // (2 * left)


def offer_discounts(discounts: Iterable[Discount], currency: str) -> list[Json]:
    """What offers of the shop took off, shipping aside."""
    return [
        {"description": None, "name": one.name, "amount": money(one.minor, currency)}
        for one in discounts
        if not one.coupon and one.kind is not DiscountKind.SHIPPING
    ]


def voucher_discounts(
    shop: Shop, discounts: Iterable[Discount], of: Basket, *, ordered: bool = False
) -> list[Json]:
    """What codes took off, shipping aside; an order says the code twice."""
    return [
        {
            "description": one.coupon.upper() if ordered else None,
            "name": one.name,
            "amount": money(one.minor, of.priced.currency),
            "voucher": voucher(shop, of.vouchers[one.coupon.upper()]),
        }
        for one in discounts
        if one.coupon.upper() in of.vouchers and one.kind is not DiscountKind.SHIPPING
    ]


def voucher(shop: Shop, one: Voucher) -> Json:
    """A code."""
    return {
        "name": one.name,
        "code": one.code,
        "start_datetime": shop.moment(one.starts_at) if one.starts_at else None,
        "end_datetime": shop.moment(one.ends_at) if one.ends_at else None,
    }


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a basket, as far as oscar shows it.

    Attributes:
        number: its key in oscar.
        stock_level_id: the place that sells it; None where none does any more.
        title: of the product.
    """

    number: str
    line: CartLine
    priced: PricedLine
    product_id: UUID
    stock_level_id: UUID | None
    title: str
    is_available: bool
    changed_at: datetime


def line(shop: Shop, of: Basket, one: Line) -> Json:
    """A line of a basket."""
    priced, links, currency = one.priced, shop.links, of.priced.currency
    sums = Sums.of([priced], tax_included=of.priced.tax_included)
    product_key = shop.keys[one.product_id]
    level = one.stock_level_id
    return {
        "url": links.basket_line(of.number, one.number),
        "product": links.product(product_key),
        "quantity": one.line.quantity,
        "attributes": [],
        "price_currency": currency,
        "price_excl_tax": money(sums.net, currency),
        "price_incl_tax": money(sums.gross, currency),
        "price_incl_tax_excl_discounts": money(sums.gross_before, currency),
        "price_excl_tax_excl_discounts": money(sums.net_before, currency),
        "is_tax_known": True,
        "warning": None if one.is_available else f"'{one.title}' is no longer available",
        "basket": links.basket(of.number),
        "stockrecord": links.stock_record(product_key, shop.keys[level]) if level else None,
        "date_created": shop.moment(one.changed_at),
        "date_updated": shop.moment(one.changed_at),
    }


def shipping_method(quote: ShippingQuote) -> Json:
    """A way of shipping."""
    amount = money(quote.minor, quote.currency)
    return _method(quote.code, quote.name, quote.description, quote.currency, amount)


def nothing_to_ship(currency: str | None) -> Json:
    """The way of shipping of what needs none, an empty basket's too."""
    return _method("no-shipping-required", "No shipping required", "", currency, _ZERO)


def _method(code: str, name: str, description: str, currency: str | None, amount: str) -> Json:
    return {
        "code": code,
        "name": name,
        "description": description,
        "price": {"currency": currency, "excl_tax": amount, "incl_tax": amount, "tax": _ZERO},
        "is_discounted": False,
        "discount": 0.0,
    }
