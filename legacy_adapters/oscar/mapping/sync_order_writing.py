"""A document of an order as oscar's rows.

What the document says as the rows last did keeps its cells; the rest is written anew. So what
only oscar knows stays, and nothing comes back rounded that was not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.aggregates import AggregateRows
from legacy_adapters.mapping.rows import Cell
from legacy_adapters.mapping.rows import Row as Cells
from legacy_adapters.oscar.mapping.orders import address_ids
from legacy_adapters.oscar.mapping.sync_customer_addresses import Address, address_cells
from legacy_adapters.oscar.mapping.sync_order_documents import (
    NO_SHIPPING,
    OSCAR_STATUS,
    Line,
    Stage,
    sums,
)
from legacy_adapters.oscar.mapping.sync_order_numbers import (
    CENTS,
    Writing,
    by_key,
    moment_text,
    whole,
)
from legacy_adapters.oscar.mapping.sync_order_reading import DEFERRED
from legacy_adapters.oscar.mapping.sync_order_reductions import LineParts, reductions
from legacy_adapters.oscar.mapping.sync_order_tables import (
    BILL_TO,
    DISCOUNT,
    LINE,
    LINE_ATTRIBUTE,
    LINE_DISCOUNT,
    OF_LINES,
    ORDER,
    SHAPE,
    SHIP_TO,
)

Rows = dict[str, tuple[Cells, ...]]


def rows_of(one: Writing) -> AggregateRows:
    """All rows of the order.

    Raises:
        RowCorrupt: oscar cannot hold it.
    """
    kept = {table.name: tuple(one.sidecar.get(table.name, ())) for table in SHAPE.tables}
    if one.doc != one.before:
        kept |= _addresses(one)
        kept[ORDER.name] = (_root(one),)
        taken_off = reductions(one)
        later = [cells for cells in kept[DISCOUNT.name] if cells["category"] == DEFERRED]
        kept[DISCOUNT.name] = by_key([*later, *(cells for _, cells in taken_off)])
        _put_lines(one, kept, LineParts(one, taken_off))
    return {name: rows for name, rows in kept.items() if rows}


def _root(one: Writing) -> Cells:
    doc, ship = one.doc, one.doc.shipping or NO_SHIPPING
    old = one.sidecar.get(ORDER.name, ())
    cells: dict[str, Cell] = dict(old[0]) if old else dict(_NEW_ORDER)
    cells["id"] = one.key(doc.id)
    told: dict[tuple[str, ...], Callable[[], Mapping[str, Cell]]] = {
        ("number",): lambda: {"number": doc.number},
        ("currency",): lambda: {"currency": doc.currency},
        ("total_minor",): lambda: {"total_incl_tax": one.amount(doc.total_minor)},
        ("net_minor",): lambda: {"total_excl_tax": one.amount(doc.net_minor)},
        ("shipping",): lambda: {
            "shipping_incl_tax": one.amount(ship.gross_minor),
            "shipping_excl_tax": one.amount(ship.net_minor),
            "shipping_method": ship.name,
            "shipping_code": ship.code,
        },
        ("stage",): lambda: {"status": OSCAR_STATUS[doc.stage]},
        ("email", "customer_id"): lambda: {
            "guest_email": doc.email, "user_id": one.key(doc.customer_id)
        },
        ("placed_at",): lambda: {"date_placed": moment_text(doc.placed_at)},
        ("cart_id",): lambda: {"basket_id": one.key(doc.cart_id)},
    }  # fmt: skip
    for fields, written in told.items():
        if one.is_new(*fields):
            cells |= written()
    for column, _, ident, where in _places(one):
        if where is None:
            cells[column] = None
        elif cells.get(column) is None:
            cells[column] = one.key(ident)
    return whole(ORDER.columns, cells)


_NEW_ORDER: Mapping[str, Cell] = {
    "site_id": None, "shipping_tax_code": None, "analytics_tracked": False,
    "shipping_address_id": None, "billing_address_id": None,
}  # fmt: skip


def _places(one: Writing) -> tuple[tuple[str, str, UUID, Address | None], ...]:
    ship_to, bill_to = address_ids(one.doc.id)
    return (
        ("shipping_address_id", SHIP_TO.name, ship_to, one.doc.shipping_address),
        ("billing_address_id", BILL_TO.name, bill_to, one.doc.billing_address),
    )


def _addresses(one: Writing) -> Rows:
    found: Rows = {}
    for column, table, ident, where in _places(one):
        old = one.sidecar.get(table, ())
        field = column.removesuffix("_id")
        if where is None:
            found[table] = ()
        elif not old or one.is_new(field):
            cells = dict(old[0]) if old else {"id": one.key(ident), "code": None}
            is_called = table == SHIP_TO.name
            if not is_called and (where.phone or where.notes):
                raise RowCorrupt(table, "has no telephone number and no notes")
            columns = SHIP_TO.columns if is_called else BILL_TO.columns
            found[table] = (whole(columns, {**cells, **address_cells(where, is_called=is_called)}),)
    return found


def _put_lines(one: Writing, kept: Rows, parts: LineParts) -> None:
    old = {cells["id"]: cells for cells in one.sidecar.get(LINE.name, ())}
    before = {line.id: line for line in one.before.lines} if one.before is not None else {}
    lines = []
    for line in one.doc.lines:
        key = one.key(line.id)
        lines.append(_line(one, line, before.get(line.id), old.get(key)))
        parts.add(line, before.get(line.id), key)
    kept[LINE.name] = by_key(lines)
    keys = {cells["id"] for cells in lines}
    for table in OF_LINES:
        kept[table.name] = tuple(each for each in kept[table.name] if each["line_id"] in keys)
    kept[LINE_DISCOUNT.name] = by_key(parts.shares)
    kept[LINE_ATTRIBUTE.name] = by_key(parts.options)


def _line(one: Writing, line: Line, before: Line | None, old: Cells | None) -> Cells:
    doc = one.doc
    is_open = doc.stage in (Stage.PENDING, Stage.PROCESSING)
    cells: dict[str, Cell] = dict(old) if old is not None else {
        **_NEW_LINE, "num_allocated": line.quantity if is_open else 0,
    }  # fmt: skip
    cells |= {"id": one.key(line.id), "order_id": one.key(doc.id)}

    def is_new(*fields: str) -> bool:
        if before is None or old is None:
            return True
        return any(getattr(line, each) != getattr(before, each) for each in fields)

    simple: Mapping[str, tuple[str, Callable[[], Cell]]] = {
        "partner_sku": ("sku", lambda: line.sku),
        "title": ("title", lambda: line.title),
        "quantity": ("quantity", lambda: line.quantity),
        "product_id": ("product_id", lambda: one.key(line.product_id)),
        "stockrecord_id": ("stock_level_id", lambda: one.key(line.stock_level_id)),
    }
    for column, (field, written) in simple.items():
        if is_new(field):
            cells[column] = written()
    money = ("quantity", "base_minor", "net_minor", "gross_minor")
    if is_new(*money) or one.is_new("tax_included", "currency"):
        cells |= _money(one, line)
    return whole(LINE.columns, cells)


_NEW_LINE: Mapping[str, Cell] = {
    "partner_name": "", "partner_line_reference": "", "partner_line_notes": "", "upc": None,
    "status": "Pending", "partner_id": None, "tax_code": None, "allocation_cancelled": False,
}  # fmt: skip


def _money(one: Writing, line: Line) -> Mapping[str, Cell]:
    found = sums(
        line.base_minor, line.net_minor, line.gross_minor, tax_included=one.doc.tax_included
    )

    def unit(minor: int) -> str | None:
        cents = one.amount(minor).replace(".", "")
        if not line.quantity or int(cents) % line.quantity:
            return None
        each = int(cents) // line.quantity
        return f"{each // CENTS}.{each % CENTS:02d}"

    return {
        "line_price_excl_tax": one.amount(found.net),
        "line_price_incl_tax": one.amount(found.gross),
        "line_price_before_discounts_excl_tax": one.amount(found.net_before),
        "line_price_before_discounts_incl_tax": one.amount(found.gross_before),
        "unit_price_excl_tax": unit(found.net_before),
        "unit_price_incl_tax": unit(found.gross_before),
    }
