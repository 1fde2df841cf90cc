"""Fields that bodies about prices, promotions and taxes are made of, with their bounds."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from new_core.api import parameters
from new_core.domain.currency import CURRENCIES
from new_core.domain.money import minor_of, unit_micro

PLAIN = r"^[^\x00-\x1f]*$"
CODE = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2500, 1, 1, tzinfo=UTC)


def _in_range(moment: datetime) -> datetime:
    # Also keeps moments out that have no form in UTC.
    if not _FIRST <= moment <= _LAST:
        raise ValueError("must be from 1970 to 2500")
    return moment.astimezone(UTC)


def _is_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("is not an ISO 4217 code")
    return code


Moment = Annotated[parameters.Moment, AfterValidator(_in_range)]
"""A time with a zone that every database can hold."""
Currency = Annotated[
    str, Field(pattern="^[A-Z]{3}$", examples=["CAD"]), AfterValidator(_is_currency)
]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=PLAIN)]
CodeText = Annotated[str, Field(min_length=1, max_length=64, pattern=CODE)]
Country = Annotated[str, Field(pattern="^[A-Z]{2}$", examples=["CA"])]
Region = Annotated[str, Field(pattern="^[A-Z0-9]{0,3}$", examples=["ON"])]
TaxClass = Annotated[
    str, Field(min_length=1, max_length=32, pattern=r"^[a-z][a-z0-9_-]*$", examples=["standard"])
]


class Body(BaseModel):
    """Base of all bodies: what is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AmountIn(Body):
    """Money: a decimal string."""

    amount: str = Field(pattern=r"^\d{1,13}(\.\d{1,4})?$", examples=["19.99"])
    currency: Currency

    @property
    def minor(self) -> int:
        """In minor units.

        Raises:
            InvalidValue: finer than the currency is.
        """
        return minor_of(self.amount, self.currency)


class UnitPriceIn(Body):
    """The price of one unit: a decimal string with up to 6 decimals."""

    amount: str = Field(pattern=r"^\d{1,10}(\.\d{1,6})?$", examples=["0.00325"])
    currency: Currency

    @property
    def micro(self) -> int:
        """In millionths.

        Raises:
            InvalidValue: out of range.
        """
        return unit_micro(Decimal(self.amount))
