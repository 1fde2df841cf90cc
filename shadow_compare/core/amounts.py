"""Amounts of money as stores write them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

_TEXT = re.compile(
    r"(?P<sign>[+-]?)(?P<before>[^\W\d_]{1,4}|[^\w\s.,'+-]{1,3})?\s?(?P<inner>-?)"
    r"(?P<number>\d[\d.,' \u00a0\u202f]{0,30})\s?(?P<after>[^\W\d_]{1,4}|[^\w\s.,'+-]{1,3})?"
)
_MACHINE = re.compile(r"\d{1,20}(\.\d{1,10})?", re.ASCII)
_GROUPED = (
    (re.compile(r"\d{1,3}(,\d{3})+(\.\d{1,2})?", re.ASCII), ",", "."),
    (re.compile(r"\d{1,3}(\.\d{3})+(,\d{1,2})?", re.ASCII), ".", ","),
)
_COMMA = re.compile(r"\d{1,20},\d{1,2}", re.ASCII)
_SAME_CURRENCY = {"€": "EUR", "£": "GBP"}
_MAX_NUMBER = Decimal(10) ** 20


class Amount(NamedTuple):
    """An amount in major units. `currency` is "" where it does not stand with it."""

    value: Decimal
    currency: str


def read_amount(value: object, minor_digits: int | None) -> Amount | None:
    """The amount in a number or a text; None where it could be read in two ways.

    12.5, "12.50", "12,50", "£12.50", "1.234,50 EUR". "1,234" is none: it could be either.

    `minor_digits` are the decimals of the currency when the value is in minor units, which
    are whole; None when it is in major units.
    """
    found = _read(value)
    if found is None or minor_digits is None:
        return found
    if found.value != found.value.to_integral_value():
        return None
    return Amount(found.value.scaleb(-minor_digits), found.currency)


def _read(value: object) -> Amount | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return Amount(Decimal(value), "") if -_MAX_NUMBER < value < _MAX_NUMBER else None
    if not isinstance(value, str) or len(value) > 60:
        return None
    found = _TEXT.fullmatch(value.strip())
    if found is None or (found["before"] and found["after"]) or (found["sign"] and found["inner"]):
        return None
    number = _number(found["number"].rstrip())
    if number is None:
        return None
    currency = found["before"] or found["after"] or ""
    negative = "-" in (found["sign"], found["inner"])
    return Amount(-number if negative else number, _SAME_CURRENCY.get(currency, currency.upper()))


def _number(text: str) -> Decimal | None:
    text = re.sub(r"(?<=\d)[' \u00a0\u202f](?=\d{3}(?!\d))", "", text)
    if _MACHINE.fullmatch(text):
        return Decimal(text)
    if _COMMA.fullmatch(text):
        return Decimal(text.replace(",", "."))
    for form, group, point in _GROUPED:
        if form.fullmatch(text) and (text.count(group) > 1 or point in text):
            return Decimal(text.replace(group, "").replace(point, "."))
    return None
