"""Single values gone wrong: prices, stock, texts, dates, addresses."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from shadow_compare.core.documents import Json
from shadow_compare.core.seeding.model import REMOVED, DocumentDefect, SeededJson

_MONEY = re.compile(r"price|total|amount|cost|charge|discount|incl_tax|excl_tax|tax|fee|rrp")
_STOCK = re.compile(r"stock|quantity|qty|available|allocated|inventory")
_COUNT = re.compile(r"(^|_)(count|total|pages?|num_pages|total_count)$")
_ID = re.compile(r"(^|_)(id|pk|uuid|sku|upc|code|number|partner_sku)$", re.IGNORECASE)
_NUMBER_TEXT = re.compile(r"-?\d{1,15}(\.\d{1,6})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_URL = re.compile(r"https?://([^/?#]+)([^?#]*)")
_DIGITS = re.compile(r"\d+(?=\D*$)", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_ZONE = re.compile(r"(Z|[+-]\d\d:?\d\d)$")

_CENT, _HUNDRED = Decimal("0.01"), Decimal(100)

_Edit = Callable[[str, Json], SeededJson]


def _at(edit: _Edit) -> Callable[[str, Json], Iterator[tuple[SeededJson, str]]]:
    """A change of the value itself. An edit that gives its value back has no place there."""

    def change(name: str, value: Json) -> Iterator[tuple[SeededJson, str]]:
        changed = edit(name, value)
        if type(changed) is not type(value) or changed != value:
            yield changed, ""

    return change


def _amount(value: Json) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER_TEXT.fullmatch(value):
        return Decimal(value)
    return None


def _written_like(value: Json, amount: Decimal) -> Json:
    """The amount in the form and with the decimals that the store uses."""
    if isinstance(value, int):
        return int(amount)
    form = Decimal(value) if isinstance(value, str) else value
    if isinstance(form, Decimal):
        exponent = form.as_tuple().exponent
        decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
        amount = amount.quantize(Decimal(1).scaleb(-decimals))
    return str(amount) if isinstance(value, str) else amount


def _money(to: Callable[[Decimal], Decimal]) -> _Edit:
    def edit(name: str, value: Json) -> Json:
        amount = _amount(value) if _MONEY.search(name.lower()) else None
        return value if amount is None else _written_like(value, to(amount))

    return edit


def _cent_more(name: str, value: Json) -> Json:
    amount = _amount(value)
    if amount is None or not _MONEY.search(name.lower()):
        return value
    if isinstance(value, int):
        return value + 1
    return str(amount + _CENT) if isinstance(value, str) else amount + _CENT


def _tax_dropped(name: str, value: Json) -> Iterator[tuple[SeededJson, str]]:
    if isinstance(value, dict):
        excl = value.get("excl_tax")
        if excl is not None and value.get("incl_tax") not in (None, excl):
            yield {**value, "incl_tax": excl}, ".incl_tax"
    elif name.lower() == "tax" and _amount(value):
        yield _written_like(value, Decimal(0)), ""


def _currency(name: str, value: Json) -> Json:
    if isinstance(value, str) and "currency" in name.lower() and _CURRENCY.fullmatch(value):
        return "USD" if value != "USD" else "EUR"
    return value


def _decimal_comma(_name: str, value: Json) -> Json:
    if isinstance(value, str) and _NUMBER_TEXT.fullmatch(value):
        return value.replace(".", ",")
    return value


def _stock_less(name: str, value: Json) -> Json:
    if isinstance(value, int) and not isinstance(value, bool) and _STOCK.search(name.lower()):
        return value - 1 if value > 0 else value
    return value


def _stock_zero(name: str, value: Json) -> Json:
    return 0 if _stock_less(name, value) != value else value


def _count_more(name: str, value: Json) -> Json:
    if isinstance(value, int) and not isinstance(value, bool) and _COUNT.search(name.lower()):
        return value + 1
    return value


def _number_more(_name: str, value: Json) -> Json:
    return value if isinstance(value, bool) or not isinstance(value, int) else value + 1


def _flipped(_name: str, value: Json) -> Json:
    return not value if isinstance(value, bool) else value


def _number_as_text(_name: str, value: Json) -> Json:
    return value if isinstance(value, bool) or not isinstance(value, int | Decimal) else str(value)


def _text_as_number(_name: str, value: Json) -> Json:
    if isinstance(value, str) and _NUMBER_TEXT.fullmatch(value) and str(Decimal(value)) == value:
        return Decimal(value)
    return value


def _is_leaf(value: Json) -> bool:
    return not isinstance(value, dict | list)


def _null(_name: str, value: Json) -> Json:
    return None if _is_leaf(value) else value


def _missing(name: str, value: Json) -> SeededJson:
    return REMOVED if name and _is_leaf(value) else value


def _empty(_name: str, value: Json) -> Json:
    return "" if isinstance(value, str) else value


def _words(value: Json) -> str | None:
    """A text for people: no number, date, address or code."""
    if not isinstance(value, str) or len(value) < 3 or not any(c.isalpha() for c in value):
        return None
    return None if _DAY.match(value) or _URL.match(value) else value


def _text(to: Callable[[str], str]) -> _Edit:
    def edit(_name: str, value: Json) -> Json:
        words = _words(value)
        return value if words is None else to(words)

    return edit


def _mojibake(text: str) -> str:
    return text.encode().decode("latin-1") if not text.isascii() else text


def _accent_lost(text: str) -> str:
    return text if text.isascii() else text.encode("ascii", "replace").decode()


def _other_url(_name: str, value: Json) -> Json:
    if not isinstance(value, str) or not (found := _URL.match(value)):
        return value
    number = _DIGITS.search(found[2])
    if number is None:
        return value
    at = found.start(2) + number.start()
    return f"{value[:at]}{int(number[0]) + 1}{value[at + len(number[0]) :]}"


def _other_host(_name: str, value: Json) -> Json:
    if isinstance(value, str) and (found := _URL.match(value)):
        return value.replace(found[1], "internal.invalid", 1)
    return value


def _other_id(name: str, value: Json) -> Json:
    if isinstance(value, bool) or not _ID.search(name):
        return value
    if isinstance(value, int):
        return value + 1
    return (
        value[:-1] + ("1" if value[-1] != "1" else "2")
        if isinstance(value, str) and value
        else value
    )


def _later(by: timedelta, form: re.Pattern[str]) -> _Edit:
    def edit(_name: str, value: Json) -> Json:
        if not isinstance(value, str) or not form.match(value):
            return value
        try:
            # The first ten letters are the day, the next six hour and minute.
            size = 10 if form is _DAY else 16
            moved = datetime.fromisoformat(value[:size].upper()) + by
        except (ValueError, OverflowError):
            return value
        told = moved.isoformat()[:size]
        return (
            told[:10] + value[10:11] + told[11:size] + value[size:]
            if size > 10
            else told + value[10:]
        )

    return edit


def _zone_lost(_name: str, value: Json) -> Json:
    return _ZONE.sub("", value) if isinstance(value, str) and _TIME.match(value) else value


VALUE_DEFECTS: tuple[DocumentDefect, ...] = (
    DocumentDefect("price_cent_more", "a price is a cent too high", _at(_cent_more), True),
    DocumentDefect(
        "price_times_100", "a price is a hundredfold", _at(_money(lambda a: a * _HUNDRED)), True
    ),
    DocumentDefect(
        "price_rounded",
        "a price lost its cents",
        _at(_money(lambda a: a.to_integral_value())),
        True,
    ),
    DocumentDefect("price_negative", "a price has the wrong sign", _at(_money(lambda a: -a)), True),
    DocumentDefect("price_zero", "a price is nothing", _at(_money(lambda _: Decimal(0))), True),
    DocumentDefect("tax_dropped", "a price lost its tax", _tax_dropped, True),
    DocumentDefect("currency_changed", "a price is in another currency", _at(_currency), True),
    DocumentDefect("decimal_comma", "a number is written with a comma", _at(_decimal_comma)),
    DocumentDefect("stock_one_less", "one piece less in stock", _at(_stock_less), True),
    DocumentDefect("stock_zero", "nothing left in stock", _at(_stock_zero), True),
    DocumentDefect("count_wrong", "a count of pages or results is off by one", _at(_count_more)),
    DocumentDefect("number_one_more", "a whole number is off by one", _at(_number_more)),
    DocumentDefect("boolean_flipped", "yes instead of no", _at(_flipped), True),
    DocumentDefect("number_as_text", "a number became text", _at(_number_as_text)),
    DocumentDefect("text_as_number", "text became a number", _at(_text_as_number)),
    DocumentDefect("field_null", "a value is null", _at(_null)),
    DocumentDefect("field_missing", "a member is not there", _at(_missing), True),
    DocumentDefect("text_empty", "a text is empty", _at(_empty)),
    DocumentDefect("text_case", "a text is in capitals", _at(_text(str.upper))),
    DocumentDefect("text_space", "a text has a space too many", _at(_text(lambda t: t + " "))),
    DocumentDefect("text_cut", "a text lost its end", _at(_text(lambda t: t[:-1]))),
    DocumentDefect("text_mojibake", "a text was read in the wrong charset", _at(_text(_mojibake))),
    DocumentDefect(
        "accent_lost", "letters with accents became question marks", _at(_text(_accent_lost))
    ),
    DocumentDefect("text_escaped", "a text is escaped as HTML", _at(_text(html.escape))),
    DocumentDefect("url_other_page", "an address leads to another thing", _at(_other_url), True),
    DocumentDefect("url_other_host", "an address leads to another host", _at(_other_host)),
    DocumentDefect("id_changed", "an id names another thing", _at(_other_id), True),
    DocumentDefect("date_day_later", "a date is a day late", _at(_later(timedelta(days=1), _DAY))),
    DocumentDefect(
        "time_hour_early", "a time is an hour old", _at(_later(timedelta(hours=-1), _TIME))
    ),
    DocumentDefect("time_zone_lost", "a time lost its zone", _at(_zone_lost)),
)
