"""Use cases of carts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from new_core.domain.cart import Cart
from new_core.domain.catalog import Stored
from new_core.domain.totals import CartAsked, PricedCart
from new_core.ports import UnitOfWork


@dataclass(frozen=True, slots=True)
class CartProblem:
    """Something that stands between a cart and its order.

    Attributes:
        code: e.g. "insufficient_stock", "price_changed", "not_for_sale", "coupon_unknown".
        line_id: None when it is about the whole cart.
    """

    code: str
    detail: str
    line_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class CartView:
    """A cart with its money and its problems, as of one moment."""

    stored: Stored[Cart]
    priced: PricedCart
    problems: tuple[CartProblem, ...]


async def view_cart(uow: UnitOfWork, stored: Stored[Cart], at: datetime) -> CartView:
    """Price a cart and look for problems; a fixed number of queries."""
    raise NotImplementedError


async def asked_of(uow: UnitOfWork, cart: Cart, at: datetime) -> CartAsked:
    """What a cart asks of the pricing: its lines, coupons, way of shipping and destination."""
    raise NotImplementedError
