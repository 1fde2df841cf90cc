"""Oscar's rows of an order, read strictly into a document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from legacy_adapters.mapping.aggregates import AggregateRows
from legacy_adapters.mapping.number_ranges import FIRST_OWN
from legacy_adapters.mapping.rows import Cell
from legacy_adapters.mapping.rows import Row as Cells
from legacy_adapters.oscar.mapping.cells import Row
from legacy_adapters.oscar.mapping.orders import NOBODYS, address_ids
from legacy_adapters.oscar.mapping.records import SYSTEM
from legacy_adapters.oscar.mapping.sync_customer_addresses import Address, address
from legacy_adapters.oscar.mapping.sync_order_documents import (
    NO_SHIPPING,
    STAGE_OF_OSCAR,
    Line,
    OrderDoc,
    Reduction,
    Settled,
    Share,
    Shipping,
    Stage,
    Sums,
    placed_in_oscar,
    settled,
    told,
)
from legacy_adapters.oscar.mapping.sync_order_tables import (
    BILL_TO,
    DISCOUNT,
    LINE,
    LINE_ATTRIBUTE,
    LINE_DISCOUNT,
    ORDER,
    SHIP_TO,
    SOURCE,
)
from new_core.domain.currency import CURRENCIES, decimals
from new_core.domain.identity import core_id

Known = Mapping[tuple[str, str], UUID]

SHIP_TO_TYPE, BILL_TO_TYPE = "order_shipping_address", "order_billing_address"
"""Entity types of an order's addresses: oscar counts the two on their own."""

LONGEST_NUMBER = 64

_CATEGORIES = {"Basket": False, "Shipping": True}
DEFERRED = "Deferred"
"""What an offer does after an order, which is no money."""

_OSCAR_DIGITS = 2


def core_of(known: Known, entity_type: str, key: str | None) -> UUID | None:
    """Who something of oscar is in the core."""
    if key is None:
        return None
    return known.get((entity_type, key)) or core_id(SYSTEM, entity_type, key)


def offer_key(cells: Cells) -> str | None:
    """What the core calls an offer of oscar by: with the voucher that opened it. One that was
    born in the core has a number of its own there, which stands for both.
    """
    offer = cells["offer_id"]
    if not isinstance(offer, int):
        return None
    voucher = cells["voucher_id"]
    return str(offer) if offer >= FIRST_OWN else f"{offer}/{'site' if voucher is None else voucher}"


def minor_of(row: Row, column: str, currency: str) -> int:
    """An amount of two decimals in minor units of a currency.

    Raises:
        RowCorrupt: it is none, or finer than the currency.
    """
    text = row.text(column)
    try:
        cents = int(text[:-3] + text[-_OSCAR_DIGITS:])
    except ValueError as exc:
        raise row.corrupt(column, f"is {text!r}, not an amount") from exc
    digits = decimals(currency)
    if digits == _OSCAR_DIGITS:
        return cents
    if digits > _OSCAR_DIGITS:
        return int(cents * 10 ** (digits - _OSCAR_DIGITS))
    minor, rest = divmod(cents, int(10 ** (_OSCAR_DIGITS - digits)))
    if rest:
        raise row.corrupt(column, f"is {text}, finer than {currency} is")
    return minor


class _Parts(NamedTuple):
    """Rows of an order by what they hang on."""

    lines: Sequence[Cells]
    shares: Mapping[object, Sequence[Cells]]
    options: Mapping[object, Sequence[Cells]]
    discounts: Mapping[object, Cells]
    currency: str


def order_of(rows: AggregateRows, known: Known) -> OrderDoc:
    """The document of an order's rows.

    Raises:
        RowCorrupt: it cannot be read.
    """
    row = Row(ORDER.name, rows[ORDER.name][0])
    ident = core_of(known, "order", row.key("id"))
    assert ident is not None  # noqa: S101 - a key is there, or it is corrupt
    currency, stage = _currency(row), _stage(row)
    total = _at_least_nothing(row, "total_incl_tax", currency)
    tax_included, lines = _lines(_parts(rows, currency), known)
    customer_id = core_of(known, "user", row.key_or_none("user_id"))
    return OrderDoc(
        id=ident,
        number=row.text("number", longest=LONGEST_NUMBER),
        cart_id=core_of(known, "basket", row.key_or_none("basket_id")),
        customer_id=customer_id,
        email="" if customer_id is not None else row.text("guest_email"),
        currency=currency,
        stage=stage,
        settled=_settled(rows, ident, stage, total, currency),
        placed_at=row.moment("date_placed"),
        lines=lines,
        shipping=_shipping(row, currency),
        reductions=tuple(
            _reduction(cells, known, currency)
            for cells in rows.get(DISCOUNT.name, ())
            if cells["category"] != DEFERRED
        ),
        tax_included=tax_included,
        net_minor=minor_of(row, "total_excl_tax", currency),
        total_minor=total,
        shipping_address=_address(rows, row, SHIP_TO.name, "shipping_address_id"),
        billing_address=_address(rows, row, BILL_TO.name, "billing_address_id"),
    )


def own_names(rows: AggregateRows, known: Known) -> Mapping[tuple[str, str], UUID]:
    """What an order's rows are in the core, by entity type and key, and the offers in it, of
    which no other aggregate tells.
    """
    cells = rows[ORDER.name][0]
    key = str(cells["id"])
    ident = known.get(("order", key)) or core_id(SYSTEM, "order", key)
    found = {("order", key): ident}
    for line in rows.get(LINE.name, ()):
        name = ("order_line", str(line["id"]))
        found[name] = known.get(name) or core_id(SYSTEM, *name)
    ship_to, bill_to = address_ids(ident)
    if cells["shipping_address_id"] is not None:
        found[SHIP_TO_TYPE, str(cells["shipping_address_id"])] = ship_to
    if cells["billing_address_id"] is not None:
        found[BILL_TO_TYPE, str(cells["billing_address_id"])] = bill_to
    for discount in rows.get(DISCOUNT.name, ()):
        offer = offer_key(discount)
        if offer is not None:
            name = ("offer", offer)
            found[name] = known.get(name) or core_id(SYSTEM, *name)
    return found


def _currency(row: Row) -> str:
    currency = row.text("currency")
    if currency not in CURRENCIES:
        raise row.corrupt("currency", f"is {currency!r}, not an ISO 4217 code")
    return currency


def _stage(row: Row) -> Stage:
    status = row.text("status")
    if status not in STAGE_OF_OSCAR:
        raise row.corrupt("status", f"is {status!r}, which the core has no word for")
    return STAGE_OF_OSCAR[status]


def _at_least_nothing(row: Row, column: str, currency: str) -> int:
    minor = minor_of(row, column, currency)
    if minor < 0:
        raise row.corrupt(column, f"is {minor} minor units, less than nothing")
    return minor


def _address(rows: AggregateRows, order: Row, table: str, column: str) -> Address | None:
    key = order.key_or_none(column)
    if key is None:
        return None
    found = rows.get(table, ())
    if not found:
        raise order.corrupt(column, f"is {key}, and there is no such address")
    return address(Row(table, found[0]), is_called=table == SHIP_TO.name)


def _shipping(row: Row, currency: str) -> Shipping | None:
    found = Shipping(
        row.text("shipping_code"),
        row.text("shipping_method"),
        minor_of(row, "shipping_excl_tax", currency),
        minor_of(row, "shipping_incl_tax", currency),
    )
    return None if found == NO_SHIPPING else found


def _reduction(cells: Cells, known: Known, currency: str) -> Reduction:
    row = Row(DISCOUNT.name, cells)
    category = row.text("category")
    if category not in _CATEGORIES:
        raise row.corrupt("category", f"is {category!r}")
    coupon = "" if cells["voucher_id"] is None else row.text("voucher_code")
    if not coupon and cells["voucher_id"] is not None:
        raise row.corrupt("voucher_code", "is empty, and a voucher was used")
    return Reduction(
        promotion_id=core_of(known, "offer", offer_key(cells)) or NOBODYS,
        name=row.text("offer_name"),
        coupon=coupon,
        of_shipping=_CATEGORIES[category],
        minor=minor_of(row, "amount", currency),
    )


def _settled(rows: AggregateRows, ident: UUID, stage: Stage, total: int, currency: str) -> Settled:
    sources = [Row(SOURCE.name, cells) for cells in rows.get(SOURCE.name, ())]
    if not sources or stage is Stage.CANCELLED or not placed_in_oscar(ident):
        return Settled.UNSAID

    def moved(column: str) -> int:
        return sum(minor_of(one, column, currency) for one in sources)

    return settled(
        moved("amount_allocated"), moved("amount_debited"), moved("amount_refunded"), total
    )


def _parts(rows: AggregateRows, currency: str) -> _Parts:
    later = deferred(rows)
    shares = rows.get(LINE_DISCOUNT.name, ())
    return _Parts(
        rows.get(LINE.name, ()),
        _by_line([cells for cells in shares if cells["order_discount_id"] not in later]),
        _by_line(rows.get(LINE_ATTRIBUTE.name, ())),
        {cells["id"]: cells for cells in rows.get(DISCOUNT.name, ())},
        currency,
    )


def deferred(rows: AggregateRows) -> frozenset[Cell]:
    """Keys of the discounts that are no money."""
    found = rows.get(DISCOUNT.name, ())
    return frozenset(cells["id"] for cells in found if cells["category"] == DEFERRED)


def _by_line(rows: Sequence[Cells]) -> Mapping[object, Sequence[Cells]]:
    found: dict[object, list[Cells]] = {}
    for cells in rows:
        found.setdefault(cells["line_id"], []).append(cells)
    return found


def _lines(parts: _Parts, known: Known) -> tuple[bool, tuple[Line, ...]]:
    read = [Row(LINE.name, cells) for cells in parts.lines]
    money = [_sums(row, parts.currency) for row in read]
    tax_included, bases = told(money)
    return tax_included, tuple(
        _line(parts, known, row, base, one)
        for row, base, one in zip(read, bases, money, strict=True)
    )


def _sums(row: Row, currency: str) -> Sums:
    found = Sums(
        minor_of(row, "line_price_excl_tax", currency),
        minor_of(row, "line_price_incl_tax", currency),
        minor_of(row, "line_price_before_discounts_excl_tax", currency),
        minor_of(row, "line_price_before_discounts_incl_tax", currency),
    )
    if found.gross < found.net:
        raise row.corrupt("line_price_incl_tax", "is less than without tax")
    return found


def _line(parts: _Parts, known: Known, row: Row, base: int, money: Sums) -> Line:
    key = row.key("id")
    ident = core_of(known, "order_line", key)
    assert ident is not None  # noqa: S101 - a key is there, or it is corrupt
    number = int(key)
    return Line(
        id=ident,
        product_id=core_of(known, "product", row.key_or_none("product_id")),
        stock_level_id=core_of(known, "stock_level", row.key_or_none("stockrecord_id")),
        sku=row.text("partner_sku"),
        title=row.text("title"),
        quantity=row.integer("quantity", least=0),
        base_minor=base,
        net_minor=money.net,
        gross_minor=money.gross,
        shares=tuple(_share(parts, known, cells) for cells in parts.shares.get(number, ())),
        options=tuple(_option(cells) for cells in parts.options.get(number, ())),
    )


def _share(parts: _Parts, known: Known, cells: Cells) -> Share:
    row = Row(LINE_DISCOUNT.name, cells)
    of = parts.discounts.get(cells["order_discount_id"])
    if of is None:
        raise row.corrupt("order_discount_id", "is no discount of its order")
    coupon = "" if of["voucher_id"] is None else Row(DISCOUNT.name, of).text("voucher_code")
    promotion_id = core_of(known, "offer", offer_key(of)) or NOBODYS
    return Share(promotion_id, coupon, minor_of(row, "amount", parts.currency))


def _option(cells: Cells) -> tuple[str, str]:
    row = Row(LINE_ATTRIBUTE.name, cells)
    text = row.text("value")
    try:
        value = json.loads(text)
    except ValueError as exc:
        raise row.corrupt("value", "is no JSON") from exc
    if isinstance(value, str):
        # What JSON can write as an escape need not be a text that a database takes.
        return row.text("type"), Row(LINE_ATTRIBUTE.name, {"value": value}).text("value")
    return row.text("type"), text
