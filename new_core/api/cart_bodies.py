"""Carts as /v1 takes them."""

from __future__ import annotations

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

from new_core.domain.address import PostalAddress
from new_core.domain.cart import MOST_LINES, MOST_UNITS_OF_A_LINE
from new_core.domain.cart_lines import Wish
from new_core.service.cart_changes import Mode

_TEXT = r"^[^\x00]*$"
Short = Annotated[str, Field(max_length=100, pattern=_TEXT)]
Line = Annotated[str, Field(max_length=200, pattern=_TEXT)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2")]
Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]
Coupon = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00\s/]+$")]
Quantity = Annotated[StrictInt, Field(ge=1, le=MOST_UNITS_OF_A_LINE)]


class Body(BaseModel):
    """Base of all bodies: what is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AddressIn(Body):
    """Where post goes."""

    country: Country
    lines: list[Line] = Field(min_length=1, max_length=3, description="street and more")
    city: Short
    first_name: Short = ""
    last_name: Short = ""
    title: Short = ""
    company: Short = ""
    region: Annotated[str, Field(max_length=3, pattern=r"^[A-Z0-9]*$")] = Field(
        default="", description="ISO 3166-2 without the country, e.g. ON"
    )
    postcode: Annotated[str, Field(max_length=20, pattern=_TEXT)] = ""
    phone: Annotated[str, Field(max_length=40, pattern=_TEXT)] = ""
    notes: Annotated[str, Field(max_length=500, pattern=_TEXT)] = ""

    def address(self) -> PostalAddress:
        """The same as the core has it."""
        return PostalAddress(**{**self.model_dump(), "lines": tuple(self.lines)})


class CartNew(Body):
    """A cart to begin with."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["CAD"])]
    channel: Annotated[str, Field(max_length=64, pattern=_TEXT)] = ""
    country: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = Field(
        default="", description="where the shopper is, as far as prices depend on it"
    )
    email: Email | None = None
    customer_id: UUID | None = Field(
        default=None, description="for whom staff make it; a customer's own is theirs anyway"
    )


class CartChange(Body):
    """What of a cart is to change; what is not named stays, and null takes away."""

    email: Email | None = None
    shipping_code: Annotated[str, Field(max_length=64, pattern=_TEXT)] | None = None
    shipping_address: AddressIn | None = None
    billing_address: AddressIn | None = None

    def fields(self) -> dict[str, Any]:
        """The cart's own fields that it names."""
        named: dict[str, Any] = {}
        for name in self.model_fields_set:
            value = getattr(self, name)
            if isinstance(value, AddressIn):
                named[name] = value.address()
            else:
                named[name] = value or (None if name.endswith("_address") else "")
        return named


class LineNew(Body):
    """So many more units of something, named by its variant or its SKU."""

    variant_id: UUID | None = None
    sku: Annotated[str, Field(min_length=1, max_length=255, pattern=_TEXT)] | None = None
    quantity: Quantity = 1
    options: dict[
        Annotated[str, Field(min_length=1, max_length=64, pattern=_TEXT)],
        Annotated[str, Field(max_length=500, pattern=_TEXT)],
    ] = Field(default={}, max_length=20, description="what the shopper decided, by option code")

    @model_validator(mode="after")
    def names_one_thing(self) -> Self:
        """Either is enough, and two may contradict each other."""
        if (self.variant_id is None) == (self.sku is None):
            raise ValueError("name either variant_id or sku")
        return self

    def wish(self) -> Wish:
        """The same as the core has it."""
        return Wish(self.quantity, self.variant_id, self.sku, tuple(sorted(self.options.items())))


class LinesBatch(Body):
    """Many lines at once."""

    mode: Mode = Field(
        default=Mode.ATOMIC, description="atomic: one refused row refuses all; partial: the rest"
    )
    lines: list[LineNew] = Field(min_length=1, max_length=MOST_LINES)


class LineQuantity(Body):
    """How many units a line holds from now on."""

    quantity: Quantity


class CouponNew(Body):
    """A coupon's code."""

    code: Coupon


class Reorder(Body):
    """What to order again."""

    order_id: UUID
