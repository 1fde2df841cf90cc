"""Ways of shipping as /v1 takes and shows them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, model_validator

from new_core.api.schemas import Amount, Answer
from new_core.domain.catalog import Stored
from new_core.domain.currency import decimals
from new_core.domain.money import Money
from new_core.domain.shipping import ShippingMethod, ShippingPlace, ShippingQuote, ShippingRate
from new_core.errors import InvalidValue

_TEXT = r"^[^\x00]*$"
_MOST_MINOR = 10**12
_Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
_Decimal = Annotated[str, Field(max_length=20, pattern=r"^\d{1,13}(\.\d{1,4})?$")]


class AmountIn(BaseModel):
    """Money: a decimal string with at most the decimals of its currency."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amount: _Decimal = Field(examples=["7.50"])
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["CAD"])]

    def minor(self) -> int:
        """The amount in minor units.

        Raises:
            InvalidValue: no such currency, or more decimals than it has, or too much.
        """
        scaled = Decimal(self.amount).scaleb(decimals(self.currency))
        if scaled != int(scaled):
            raise InvalidValue("amount", f"has more decimals than {self.currency}")
        if scaled > _MOST_MINOR:
            raise InvalidValue("amount", "is too large")
        return int(scaled)


class RateIn(BaseModel):
    """What a way of shipping costs in one currency."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    price: AmountIn
    free_from: AmountIn | None = Field(
        default=None, description="goods of this worth ship for nothing"
    )

    @model_validator(mode="after")
    def is_of_one_currency(self) -> Self:
        """A threshold in another currency would never be compared."""
        if self.free_from is not None and self.free_from.currency != self.price.currency:
            raise ValueError("price and free_from are of one currency")
        return self


class PlaceIn(BaseModel):
    """A country, or one region of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    region: Annotated[str, Field(max_length=3, pattern=r"^[A-Z0-9]*$")] = ""


class MethodIn(BaseModel):
    """A way of shipping."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: _Code
    name: Annotated[str, Field(min_length=1, max_length=200, pattern=_TEXT)]
    description: Annotated[str, Field(max_length=2000, pattern=_TEXT)] = ""
    rates: list[RateIn] = Field(min_length=1, max_length=50, description="one per currency")
    places: list[PlaceIn] = Field(default=[], max_length=500, description="empty is everywhere")
    tax_class: Annotated[str, Field(min_length=1, max_length=64, pattern=_TEXT)] = "standard"
    active: StrictBool = True
    rank: Annotated[StrictInt, Field(ge=0, le=10_000)] = 0

    @model_validator(mode="after")
    def has_one_rate_per_currency(self) -> Self:
        """Of two, nobody could say which counts."""
        currencies = [one.price.currency for one in self.rates]
        if len(set(currencies)) < len(currencies):
            raise ValueError("rates has one entry per currency")
        return self

    def method(self, method_id: UUID, created_at: datetime) -> ShippingMethod:
        """The same as the core has it.

        Raises:
            InvalidValue: see `AmountIn.minor`.
        """
        return ShippingMethod(
            id=method_id,
            code=self.code,
            name=self.name,
            description=self.description,
            rates=tuple(_rate(one) for one in self.rates),
            places=tuple(ShippingPlace(one.country, one.region) for one in self.places),
            created_at=created_at,
            tax_class=self.tax_class,
            active=self.active,
            rank=self.rank,
        )


class RateOut(Answer):
    """What a way of shipping costs in one currency."""

    price: Amount
    free_from: Amount | None


class PlaceOut(Answer):
    """A country, or one region of it."""

    country: str
    region: str


class MethodOut(Answer):
    """A way of shipping."""

    id: UUID
    code: str
    name: str
    description: str
    rates: list[RateOut]
    places: list[PlaceOut]
    tax_class: str
    active: StrictBool
    rank: int
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, stored: Stored[ShippingMethod]) -> MethodOut:
        """A way of shipping as it is now."""
        method = stored.value
        return cls(
            id=method.id, code=method.code, name=method.name, description=method.description,
            rates=[_rate_out(one) for one in method.rates],
            places=[PlaceOut(country=one.country, region=one.region) for one in method.places],
            tax_class=method.tax_class, active=method.active, rank=method.rank,
            created_at=method.created_at, updated_at=stored.updated_at, version=stored.version,
        )  # fmt: skip


class MethodList(Answer):
    """All ways of shipping, by rank and code."""

    data: list[MethodOut]


class QuoteOut(Answer):
    """A way of shipping a cart, with its price before discounts and taxes."""

    code: str
    name: str
    description: str
    price: Amount

    @classmethod
    def of(cls, quote: ShippingQuote) -> QuoteOut:
        """What is offered."""
        return cls(
            code=quote.code, name=quote.name, description=quote.description,
            price=_amount(quote.minor, quote.currency),
        )  # fmt: skip


class QuoteList(Answer):
    """What is offered for a cart, by rank."""

    data: list[QuoteOut]


def _rate(rate: RateIn) -> ShippingRate:
    free = rate.free_from.minor() if rate.free_from else None
    return ShippingRate(rate.price.currency, rate.price.minor(), free)


def _rate_out(rate: ShippingRate) -> RateOut:
    free = rate.free_from_minor
    return RateOut(
        price=_amount(rate.minor, rate.currency),
        free_from=None if free is None else _amount(free, rate.currency),
    )


def _amount(minor: int, currency: str) -> Amount:
    return Amount(amount=Money(minor, currency).text, currency=currency)
