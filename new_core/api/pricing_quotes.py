"""The route that explains what a cart would cost."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, StrictInt

from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.pricing_fields import (
    PLAIN,
    AmountIn,
    Body,
    CodeText,
    Country,
    Currency,
    Moment,
    Name,
    Region,
    TaxClass,
)
from new_core.api.pricing_shown import PricedCartOut
from new_core.domain.actor import Actor
from new_core.domain.buyer import Buyer, Destination
from new_core.domain.cart import MOST_LINES, MOST_UNITS_OF_A_LINE
from new_core.domain.totals import CartAsked, LineAsked, ShippingAsked
from new_core.errors import InvalidValue
from new_core.service.pricing import priced_cart


class QuoteBuyer(Body):
    """Who would buy."""

    currency: Currency
    customer_id: UUID | None = None
    location_id: UUID | None = None
    account_ids: list[UUID] = Field(
        default=[], max_length=16, description="the account and those above it, nearest first"
    )
    group_ids: list[UUID] = Field(default=[], max_length=100)
    channel: str = Field(default="", max_length=64, pattern=PLAIN)
    country: Country | None = None

    def buyer(self) -> Buyer:
        """The buyer."""
        return Buyer(
            currency=self.currency, customer_id=self.customer_id, location_id=self.location_id,
            account_ids=tuple(self.account_ids), group_ids=frozenset(self.group_ids),
            channel=self.channel, country=self.country or "",
        )  # fmt: skip


class QuoteLine(Body):
    """So many units of a variant."""

    variant_id: UUID
    quantity: StrictInt = Field(ge=1, le=MOST_UNITS_OF_A_LINE)


class QuoteDestination(Body):
    """Where the goods would go."""

    country: Country
    region: Region = ""
    postcode: str = Field(default="", max_length=20, pattern=PLAIN)


class QuoteShipping(Body):
    """A way of shipping."""

    code: CodeText
    name: Name
    price: AmountIn
    tax_class: TaxClass = "standard"


class QuoteBody(Body):
    """A cart that nobody has."""

    buyer: QuoteBuyer
    lines: list[QuoteLine] = Field(max_length=MOST_LINES)
    destination: QuoteDestination | None = None
    shipping: QuoteShipping | None = None
    coupons: list[Annotated[str, Field(min_length=1, max_length=64, pattern=PLAIN)]] = Field(
        default=[], max_length=20
    )
    at: Moment | None = Field(default=None, description="as of then; now where it is left out")

    def asked(self) -> CartAsked:
        """The cart as pricing takes it; a line's key is its place.

        Raises:
            InvalidValue: shipping costs another currency.
        """
        way, to = self.shipping, self.destination
        if way is not None and way.price.currency != self.buyer.currency:
            raise InvalidValue("shipping", f"must be in {self.buyer.currency}")
        return CartAsked(
            buyer=self.buyer.buyer(),
            lines=tuple(
                LineAsked(UUID(int=place), one.variant_id, one.quantity)
                for place, one in enumerate(self.lines)
            ),
            coupons=tuple(self.coupons),
            shipping=ShippingAsked(way.code, way.name, way.price.minor, way.tax_class)
            if way
            else None,
            destination=Destination(to.country, to.region, to.postcode) if to else None,
        )


def add_quotes(router: APIRouter, house: House) -> None:
    """Add the route that explains prices."""

    @router.post(
        "/price-quotes", response_model=PricedCartOut, openapi_extra=TAKES_BACK, tags=["pricing"]
    )
    async def post_price_quote(
        _actor: Annotated[Actor, needs("prices:write")], body: QuoteBody
    ) -> PricedCartOut:
        """What a cart would cost somebody, and why: every price that was looked at, what
        promotions give or why they do not, and the taxes. Nothing is written.
        """
        moment: datetime = body.at or house.now()
        async with house.database.reading() as uow:
            priced = await priced_cart(uow, body.asked(), moment)
        return PricedCartOut.of(priced)
