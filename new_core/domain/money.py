"""Money as integers: minor units for what is charged, millionths for unit prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from new_core.domain.currency import decimals
from new_core.errors import InvalidValue

MICRO = 1_000_000
_MICRO_DIGITS = 6
_LONGEST = 100
_LONGEST_AMOUNT = 13
MAX_UNIT_MICRO = 10**16
"""Ten thousand million units of currency; times a quantity of 900 still a BIGINT."""


class Rounding(StrEnum):
    """What happens to exactly half a minor unit."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount that is charged, shown as a total or booked."""

    minor: int
    currency: str

    @property
    def text(self) -> str:
        """The amount in major units with the currency's decimals, e.g. "-0.05"."""
        return scaled_text(self.minor, decimals(self.currency))


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """The price of one unit, in millionths of the major unit."""

    micro: int
    currency: str

    @property
    def text(self) -> str:
        """Major units, with the currency's decimals or as many more as the price needs."""
        whole = scaled_text(self.micro, _MICRO_DIGITS)
        shown = decimals(self.currency)
        stem, digits = whole[:-_MICRO_DIGITS], whole[-_MICRO_DIGITS:]
        kept = digits.rstrip("0").ljust(shown, "0")
        return f"{stem}{kept}" if kept else stem.rstrip(".")

    def times(self, quantity: int, rounding: Rounding = Rounding.HALF_UP) -> Money:
        """The total of a line, rounded once, at the end."""
        divisor = 10 ** (_MICRO_DIGITS - decimals(self.currency))
        return Money(divide(self.micro * quantity, divisor, rounding), self.currency)


def unit_micro(amount: Decimal) -> int:
    """A unit price in millionths.

    Raises:
        InvalidValue: not a number, negative, too large, or finer than a millionth.
    """
    sign, digits, exponent = amount.as_tuple()
    if not isinstance(exponent, int):
        raise InvalidValue("price", f"{amount} is not a number")
    # By integers: Decimal's own arithmetic rounds to 28 digits and overflows.
    if exponent < -_LONGEST or amount.adjusted() > _LONGEST:
        raise InvalidValue("price", f"{amount} is out of range")
    whole = int("".join(map(str, digits)))
    shift = exponent + _MICRO_DIGITS
    up, down = int(10 ** max(shift, 0)), int(10 ** max(-shift, 0))
    micro, rest = divmod(whole * up, down)
    if rest:
        raise InvalidValue("price", f"{amount} has more than {_MICRO_DIGITS} decimals")
    if micro >= MAX_UNIT_MICRO or (sign and micro):
        raise InvalidValue("price", f"{amount} is not in 0 to {MAX_UNIT_MICRO // MICRO}")
    return micro


def minor_of(amount: str, currency: str) -> int:
    """A decimal number as it stands in JSON, in minor units.

    Raises:
        InvalidValue: no number of 0 or more, too large, or finer than the currency is.
    """
    digits = decimals(currency)
    whole, point, rest = amount.partition(".")
    parts = (whole, rest) if point else (whole,)
    plain = all(part.isascii() and part.isdigit() for part in parts)
    if not plain or len(whole) > _LONGEST_AMOUNT:
        raise InvalidValue("amount", f"{amount[:40]!r} is not a decimal number of 0 or more")
    if len(rest) > digits:
        raise InvalidValue("amount", f"{amount[:40]!r} has more than {digits} decimals")
    return int(whole + rest.ljust(digits, "0"))


def divide(amount: int, divisor: int, rounding: Rounding = Rounding.HALF_UP) -> int:
    """`amount / divisor` to the nearest integer; halves go away from zero or to the even."""
    quotient, rest = divmod(abs(amount), divisor)
    doubled = 2 * rest
    if doubled > divisor or (doubled == divisor and (rounding is Rounding.HALF_UP or quotient % 2)):
        quotient += 1
    return quotient if amount >= 0 else -quotient


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """A total of at least 0 in whole shares that add up to it, by the largest remainder.

    Ties go to the first. A share is at most its weight where the total is at most the sum of
    the weights. Weights that are all 0 share nothing but 0.
    """
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    parts = [divmod(total * weight, whole) for weight in weights]
    shares = [share for share, _ in parts]
    left = total - sum(shares)
    if left:
        order = sorted(range(len(parts)), key=lambda index: -parts[index][1])
        for index in order[:left]:
            shares[index] += 1
    return shares


def scaled_text(amount: int, digits: int) -> str:
    """An integer as a decimal number: 5 with 2 digits is "0.05"."""
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), 10**digits)
    return f"{sign}{whole}.{rest:0{digits}d}" if digits else f"{sign}{whole}"
