"""Baskets as carts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from legacy_adapters.mapping.aggregates import AggregateRows, Child, Loss, Shape
from legacy_adapters.mapping.columns import Fate, Ignored, Mapped
from legacy_adapters.mapping.rows import Row, Table
from legacy_adapters.oscar.mapping import sync_cells as cells
from legacy_adapters.oscar.mapping.cells import Row as Cells
from legacy_adapters.oscar.mapping.sync_cart_lines import (
    ATTRIBUTE,
    LINE,
    Beside,
    CartLine,
    lines_of,
    lines_to_rows,
    option_row,
    placed_options,
)
from legacy_adapters.ports.documents import Own
from new_core.domain.cart import CartState
from new_core.domain.currency import CURRENCIES

BASKET = Table(
    "basket_basket",
    ("id",),
    {
        "id": cells.INTEGER,
        "status": cells.TEXT,
        "date_created": cells.MOMENT,
        "date_merged": cells.MOMENT,
        "date_submitted": cells.MOMENT,
        "owner_id": cells.INTEGER,
    },
    # Oscar makes an empty basket for whoever looks at one.
    is_fenced=False,
)
VOUCHER = Table(
    "basket_basket_vouchers",
    ("id",),
    {"id": cells.INTEGER, "basket_id": cells.INTEGER, "voucher_id": cells.INTEGER},
)
_STATES = {
    "Open": CartState.OPEN,
    "Frozen": CartState.FROZEN,
    "Submitted": CartState.ORDERED,
    "Merged": CartState.MERGED,
    # Put aside: nobody finds it by looking for an open one.
    "Saved": CartState.ABANDONED,
}
_STATUSES = {state: status for status, state in _STATES.items()}
_LINK = Ignored("key of a link row; the pair of ends is its identity in the core")
_FIRST_PRICE = Ignored("what a unit cost when it was first put in; prices are worked out anew")


class CartDocument(msgspec.Struct, frozen=True):
    """A cart.

    Attributes:
        customer_id: None for a guest's.
        currency: of its lines; "" while it has none.
        vouchers: codes, by the voucher that has them; sorted.
        lines: in the order in which they were added.
    """

    id: UUID
    state: CartState
    customer_id: UUID | None
    currency: str
    vouchers: tuple[UUID, ...]
    lines: tuple[CartLine, ...]
    created_at: datetime


class CartTranslation:
    """Between basket_basket with what hangs on it and the core's carts."""

    shape = Shape(
        "cart",
        BASKET,
        (
            Child(LINE, by="basket_id"),
            Child(ATTRIBUTE, by="line_id", of=LINE.name),
            Child(VOUCHER, by="basket_id"),
        ),
    )
    entity_type = "basket"
    columns: Mapping[str, Mapping[str, Fate]] = {
        BASKET.name: {
            "id": Mapped("external_ref.external_id"),
            "status": Mapped("cart.state"),
            "date_created": Mapped("cart.created_at"),
            "date_merged": Ignored("the core knows that it was merged, not when"),
            "date_submitted": Ignored("the order has its day"),
            "owner_id": Mapped("cart.customer_id"),
        },
        LINE.name: {
            "id": Mapped("external_ref.external_id"),
            "line_reference": Ignored("oscar's own mark of a product with its options"),
            "quantity": Mapped("cart_line.quantity"),
            "price_currency": Mapped("cart.currency"),
            "price_excl_tax": _FIRST_PRICE,
            "price_incl_tax": _FIRST_PRICE,
            "date_created": Ignored("the order of the lines has it"),
            "basket_id": Mapped("cart_line.cart_id"),
            "product_id": Mapped("cart_line.variant_id"),
            "stockrecord_id": Mapped("oscar_line.stock_level_id"),
            "date_updated": Ignored("the core knows when the whole cart was last changed"),
            "tax_code": Ignored("taxes are worked out anew"),
        },
        ATTRIBUTE.name: {
            "id": _LINK,
            "line_id": Mapped("cart_line.options"),
            "option_id": Mapped("cart_line.options"),
            "value": Mapped("cart_line.options"),
        },
        VOUCHER.name: {
            "id": _LINK,
            "basket_id": Mapped("cart.coupons"),
            "voucher_id": Mapped("cart.coupons"),
        },
    }
    losses: Sequence[Loss] = (
        Loss("basket_basket.date_merged", "empty where the core merged it"),
        Loss("basket_basket.date_submitted", "empty where the core made the order"),
        Loss("basket_line.price_excl_tax", "empty where the line was added in the core"),
        Loss("basket_line.price_incl_tax", "empty where the line was added in the core"),
        Loss("basket_line.line_reference", "made anew; options have another mark than oscar's"),
        Loss("basket_line.date_updated", "stays as the legacy last wrote it"),
        Loss("basket_line", "lines of one product and the same options are one, if changed"),
        Loss("vouchers", "codes of promotions that oscar does not have stay in the core"),
        Loss("options", "options that oscar does not have stay in the core"),
    )

    def forward(self, rows: AggregateRows, known: cells.Known) -> CartDocument:
        """The cart of a basket."""
        row = Cells(BASKET.name, cells.root_of(self.shape, rows))
        status, owner = row.text("status"), row.key_or_none("owner_id")
        if status not in _STATES:
            raise row.corrupt("status", f"is {status!r}, which is none of oscar's")
        codes = (Cells(VOUCHER.name, one).key("voucher_id") for one in rows.get(VOUCHER.name, ()))
        return CartDocument(
            id=cells.id_of(known, "basket", row.key("id")),
            state=_STATES[status],
            customer_id=None if owner is None else cells.id_of(known, "user", owner),
            currency=_currency(rows),
            vouchers=tuple(sorted({cells.id_of(known, "voucher", one) for one in codes})),
            lines=lines_of(rows, known),
            created_at=row.moment("date_created"),
        )

    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        """The basket, its lines, and the products, places, options, codes and owner of it."""
        root = cells.root_of(self.shape, rows)
        found = {("basket", str(root["id"]))}
        if root["owner_id"] is not None:
            found.add(("user", str(root["owner_id"])))
        for row in rows.get(LINE.name, ()):
            found |= {
                ("basket_line", str(row["id"])),
                ("product", str(row["product_id"])),
                ("stock_level", str(row["stockrecord_id"])),
            }
        found |= {("option", str(row["option_id"])) for row in rows.get(ATTRIBUTE.name, ())}
        return found | {("voucher", str(row["voucher_id"])) for row in rows.get(VOUCHER.name, ())}

    def names(self, rows: AggregateRows, known: cells.Known) -> Mapping[tuple[str, str], UUID]:
        """The basket, its lines, and the rows that link."""
        doc = self.forward(rows, known)
        found = {("basket", str(cells.root_of(self.shape, rows)["id"])): doc.id}
        lines = {}
        for row in rows.get(LINE.name, ()):
            key = str(row["id"])
            lines[key] = found["basket_line", key] = cells.id_of(known, "basket_line", key)
        for row in rows.get(VOUCHER.name, ()):
            voucher = cells.id_of(known, "voucher", str(row["voucher_id"]))
            found["basket_voucher", str(row["id"])] = _voucher_row(doc, voucher)
        for line, place, row in placed_options(rows, known):
            found["basket_lineattribute", str(row["id"])] = option_row(lines[line], place)
        return found

    def owns(self, doc: CartDocument) -> Sequence[Own]:
        """The basket, its lines, and rows that link."""
        lines = [Own("basket_line", one.id) for one in doc.lines]
        options = [Own("basket_lineattribute", one) for one in _option_rows(doc).values()]
        codes = [Own("basket_voucher", _voucher_row(doc, one)) for one in doc.vouchers]
        return (Own("basket", doc.id), *lines, *options, *codes)

    def points_at(self, doc: CartDocument) -> Sequence[Own]:
        """Owner, products, places, options and codes."""
        found = {Own("voucher", one) for one in doc.vouchers}
        if doc.customer_id is not None:
            found.add(Own("user", doc.customer_id))
        for line in doc.lines:
            found.add(Own("product", line.product_id))
            if line.stock_level_id is not None:
                found.add(Own("stock_level", line.stock_level_id))
            found |= {Own("option", option) for option, _ in line.options}
        return tuple(sorted(found, key=lambda one: (one.entity_type, one.id)))

    def reverse(
        self, doc: CartDocument, sidecar: AggregateRows, numbers: Mapping[UUID, str]
    ) -> AggregateRows:
        """The rows of a cart."""
        before = cells.before_of(self.shape, sidecar)
        number = int(numbers[doc.id])
        root: Row = {
            "id": number,
            "status": _STATUSES[doc.state],
            "date_created": cells.moment_text(doc.created_at),
            "date_merged": before.get("date_merged"),
            "date_submitted": before.get("date_submitted"),
            "owner_id": None if doc.customer_id is None else int(numbers[doc.customer_id]),
        }
        beside = Beside(number, doc.currency, doc.created_at, sidecar, numbers)
        lines, attributes = lines_to_rows(doc.lines, beside, _option_rows(doc))
        return {
            BASKET.name: (root,),
            LINE.name: lines,
            ATTRIBUTE.name: attributes,
            VOUCHER.name: _vouchers(doc, number, sidecar, numbers),
        }

    def money(self, doc: CartDocument) -> tuple[int, str] | None:  # noqa: ARG002 - the port's
        """None: what it costs is worked out when somebody looks."""
        return None


def _currency(rows: AggregateRows) -> str:
    found = ""
    for cell in rows.get(LINE.name, ()):
        if cell["quantity"] == 0:
            continue
        row = Cells(LINE.name, cell)
        currency = row.text("price_currency")
        if currency not in CURRENCIES:
            raise row.corrupt("price_currency", f"is {currency!r}, not an ISO 4217 code")
        if found not in ("", currency):
            raise row.corrupt("price_currency", f"is {currency} beside {found} in one basket")
        found = currency
    return found


def _option_rows(doc: CartDocument) -> dict[tuple[UUID, int], UUID]:
    return {
        (line.id, place): option_row(line.id, place)
        for line in doc.lines
        for place, _ in enumerate(line.options)
    }


def _voucher_row(doc: CartDocument, voucher: UUID) -> UUID:
    return cells.derived(doc.id, f"voucher {voucher}")


def _vouchers(
    doc: CartDocument, basket: int, sidecar: AggregateRows, numbers: Mapping[UUID, str]
) -> tuple[Row, ...]:
    before = {str(row["voucher_id"]): row for row in sidecar.get(VOUCHER.name, ())}
    rows: list[Row] = []
    for one in doc.vouchers:
        number = numbers[one]
        fresh = numbers.get(_voucher_row(doc, one))
        known = before.get(number)
        if known is not None:
            rows.append(known)
        elif fresh is not None:
            rows.append({"id": int(fresh), "basket_id": basket, "voucher_id": int(number)})
    return tuple(sorted(rows, key=lambda row: int(str(row["id"]))))
