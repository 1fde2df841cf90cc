"""Lines of baskets as lines of carts, and back."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows
from legacy_adapters.mapping.rows import Row, Table
from legacy_adapters.oscar.mapping import sync_cells as cells
from legacy_adapters.oscar.mapping.cells import Row as Cells

_A_MOMENT = timedelta(microseconds=1)
LINE = Table(
    "basket_line",
    ("id",),
    {
        "id": cells.INTEGER,
        "line_reference": cells.TEXT,
        "quantity": cells.INTEGER,
        "price_currency": cells.TEXT,
        "price_excl_tax": cells.CENTS,
        "price_incl_tax": cells.CENTS,
        "date_created": cells.MOMENT,
        "basket_id": cells.INTEGER,
        "product_id": cells.INTEGER,
        "stockrecord_id": cells.INTEGER,
        "date_updated": cells.MOMENT,
        "tax_code": cells.TEXT,
    },
)
ATTRIBUTE = Table(
    "basket_lineattribute",
    ("id",),
    {
        "id": cells.INTEGER,
        "line_id": cells.INTEGER,
        "option_id": cells.INTEGER,
        "value": cells.JSON,
    },
)

_MOST_UNITS = 2**31 - 1

Options = tuple[tuple[UUID, str], ...]


class CartLine(msgspec.Struct, frozen=True):
    """So many units of a product.

    Attributes:
        stock_level_id: the place that sells it; None where none does any more.
        options: what the shopper decided, by option, sorted.
    """

    id: UUID
    product_id: UUID
    stock_level_id: UUID | None
    quantity: int
    options: Options = ()


def merged(lines: Iterable[CartLine]) -> tuple[CartLine, ...]:
    """Each product with the same options once, as carts have it: units add up."""
    found: dict[tuple[UUID, Options], CartLine] = {}
    for one in lines:
        key = (one.product_id, one.options)
        first = found.get(key)
        more = one.quantity + (first.quantity if first is not None else 0)
        found[key] = msgspec.structs.replace(first or one, quantity=more)
    return tuple(found.values())


def lines_of(rows: AggregateRows, known: cells.Known) -> tuple[CartLine, ...]:
    """The lines of a basket that hold anything, in the order in which they were added."""
    options = _options(rows, known)
    lines = merged(
        _line(
            Cells(LINE.name, cell),
            tuple(one for one, _ in options.get(str(cell["id"]), ())),
            known,
        )
        for cell in sorted(rows.get(LINE.name, ()), key=_place)
        if cell["quantity"] != 0
    )
    if any(one.quantity > _MOST_UNITS for one in lines):
        raise RowCorrupt("basket_line.quantity", f"is more than {_MOST_UNITS} of one product")
    return lines


def placed_options(rows: AggregateRows, known: cells.Known) -> Iterator[tuple[str, int, Row]]:
    """Each row of an option that stands at a line, with the line's key and its place there."""
    for key, some in _options(rows, known).items():
        if any(str(row["id"]) == key for row in rows.get(LINE.name, ())):
            yield from ((key, place, row) for place, (_, row) in enumerate(some))


def option_row(line: UUID, place: int) -> UUID:
    """The id of the row of a line's option, by its place among them."""
    return cells.derived(line, f"option {place}")


def _options(
    rows: AggregateRows, known: cells.Known
) -> dict[str, list[tuple[tuple[UUID, str], Row]]]:
    found: dict[str, list[tuple[tuple[UUID, str], Row]]] = {}
    for cell in rows.get(ATTRIBUTE.name, ()):
        row = Cells(ATTRIBUTE.name, cell)
        said = cells.id_of(known, "option", row.key("option_id")), _spoken(row)
        found.setdefault(str(cell["line_id"]), []).append((said, cell))
    return {
        line: sorted(some, key=lambda one: (one[0], _number(one[1])))
        for line, some in found.items()
    }


def _line(row: Cells, options: Options, known: cells.Known) -> CartLine:
    return CartLine(
        id=cells.id_of(known, "basket_line", row.key("id")),
        product_id=cells.id_of(known, "product", row.key("product_id")),
        stock_level_id=cells.id_of(known, "stock_level", row.key("stockrecord_id")),
        quantity=row.integer("quantity", least=1),
        options=options,
    )


def _spoken(row: Cells) -> str:
    """A value as carts have it: text as it is, anything else as JSON."""
    text = row.text("value")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise row.corrupt("value", "is no JSON") from exc
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return Cells(ATTRIBUTE.name, {"value": value}).text("value")


def _place(row: Row) -> tuple[datetime, int]:
    """As oscar orders a basket's lines. Not by their keys: the core's are below those that
    the legacy gives once both draw from ranges of their own.
    """
    return Cells(LINE.name, row).moment("date_created"), _number(row)


def _number(row: Row) -> int:
    found = row["id"]
    if not isinstance(found, int):
        raise RowCorrupt("id", f"is {found!r}, not an integer")
    return found


@dataclass(frozen=True, slots=True)
class Beside:
    """What lines are written back with.

    Attributes:
        basket: its number.
        sidecar: rows of the basket as the legacy last had them.
        numbers: legacy keys by core id.
    """

    basket: int
    currency: str
    created_at: datetime
    sidecar: AggregateRows
    numbers: Mapping[UUID, str]

    def number(self, ident: UUID) -> int:
        """A thing's key."""
        return int(self.numbers[ident])


def lines_to_rows(
    lines: Sequence[CartLine], beside: Beside, ids: Mapping[tuple[UUID, int], UUID]
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Rows of lines, and of what the shopper decided about them.

    `ids` are core ids of each option's row, by line and place.
    """
    before = _Before(beside.sidecar)
    rows: dict[int, Row] = {}
    attributes: list[Row] = []
    last = (beside.created_at, 0)
    for one in lines:
        number = beside.number(one.id)
        options = tuple((beside.number(option), value) for option, value in one.options)
        product = beside.number(one.product_id)
        same = before.alike(product, options)
        if number in same and sum(_units(before.rows[n]) for n in same) == one.quantity:
            kept = same
            rows |= {n: before.rows[n] for n in same}
        else:
            kept = [number]
            rows[number] = _row(
                one, number, before.rows.get(number), beside, _next(last, number), options
            )
        for n in kept:
            attributes += before.attributes_of(n, options) or [
                {"id": beside.number(ids[one.id, place]), "line_id": n, "option_id": option,
                 "value": json.dumps(value)}
                for place, (option, value) in enumerate(options)
            ]  # fmt: skip
        last = max(last, _place(rows[number]))
    taken = {row["line_reference"] for row in rows.values()}
    for number, row in before.rows.items():
        # A line of no units is none in a cart; it stays as it is.
        if row["quantity"] == 0 and number not in rows and row["line_reference"] not in taken:
            rows[number] = row
            attributes += before.attributes.get(number, [])
    return (
        tuple(rows[number] for number in sorted(rows)),
        tuple(sorted(attributes, key=_number)),
    )


def _next(last: tuple[datetime, int], number: int) -> str:
    """When a line was added that comes behind another one, as rows have it."""
    moment, before = last
    return cells.moment_text(moment if number > before else moment + _A_MOMENT)


class _Before:
    """Lines as the legacy last had them."""

    def __init__(self, sidecar: AggregateRows) -> None:
        self.rows = {_number(row): row for row in sidecar.get(LINE.name, ())}
        self.attributes: dict[int, list[Row]] = {}
        for row in sidecar.get(ATTRIBUTE.name, ()):
            self.attributes.setdefault(_of(row), []).append(row)

    def alike(self, product: int, options: tuple[tuple[int, str], ...]) -> list[int]:
        """Numbers of the lines of a product with the same options."""
        return [
            number
            for number, row in self.rows.items()
            if row["product_id"] == product
            and row["quantity"] != 0
            and self._options(number) == sorted(options)
        ]

    def attributes_of(self, number: int, options: tuple[tuple[int, str], ...]) -> list[Row]:
        """A line's rows of options, when they say the same."""
        same = self._options(number) == sorted(options)
        return list(self.attributes.get(number, ())) if same else []

    def _options(self, number: int) -> list[tuple[int, str]]:
        found = self.attributes.get(number, ())
        return sorted((int(str(one["option_id"])), _as_said(one)) for one in found)


def _row(
    line: CartLine,
    number: int,
    before: Row | None,
    beside: Beside,
    after: str,
    options: tuple[tuple[int, str], ...],
) -> Row:
    if before is not None:
        return {**before, "quantity": line.quantity, "basket_id": beside.basket}
    if line.stock_level_id is None:
        raise RowCorrupt("basket_line.stockrecord_id", "must name a place that sells the product")
    product, place = beside.number(line.product_id), beside.number(line.stock_level_id)
    reference = f"{product}_{place}"
    if options:
        reference += f"_{zlib.crc32(repr(sorted(options)).encode())}"
    return {
        "id": number,
        "line_reference": reference,
        "quantity": line.quantity,
        "price_currency": beside.currency,
        "price_excl_tax": None,
        "price_incl_tax": None,
        "date_created": after,
        "basket_id": beside.basket,
        "product_id": product,
        "stockrecord_id": place,
        "date_updated": after,
        "tax_code": None,
    }


def _of(row: Row) -> int:
    return int(str(row["line_id"]))


def _units(row: Row) -> int:
    return int(str(row["quantity"]))


def _as_said(row: Row) -> str:
    try:
        return _spoken(Cells(ATTRIBUTE.name, row))
    except RowCorrupt:
        return ""
