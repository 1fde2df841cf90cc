"""What the core alone knows of an order stays when a document of it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from legacy_adapters.oscar.mapping.records import SYSTEM
from legacy_adapters.oscar.mapping.sync_order_documents import (
    Line,
    OrderDoc,
    Settled,
    Stage,
    placed_in_oscar,
)
from legacy_adapters.oscar.storage.core_orders_rows import (
    Around,
    CoreRow,
    document,
    fresh_line,
    fresh_row,
)
from new_core.domain.order import FulfilmentStatus

Json = dict[str, Any]

_FIELDS: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("number",): ("number",),
    ("cart_id",): ("cart_id",),
    ("customer_id",): ("customer_id", "account_ids"),
    ("customer_id", "currency"): ("buyer",),
    ("currency",): ("currency",),
    ("stage",): ("status", "cancel_reason"),
    ("settled",): ("payment_status",),
    ("shipping", "reductions", "tax_included", "currency"): ("shipping",),
    ("reductions",): ("discounts",),
    ("tax_included",): ("tax_included",),
    ("net_minor", "total_minor"): ("taxes", "net_minor", "tax_minor", "total_minor"),
    ("shipping_address",): ("shipping_address",),
    ("billing_address", "shipping_address"): ("billing_address",),
    ("placed_at",): ("placed_at", "created_at"),
    ("customer_id", "email"): ("email",),
}
"""Fields of the document to the columns that they make."""

_OF_A_LINE: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("product_id",): ("variant_id", "product_id"),
    ("stock_level_id",): ("stock_level_id",),
    ("sku",): ("sku",),
    ("title",): ("title",),
    ("quantity",): ("quantity",),
    ("base_minor",): ("base_minor",),
    ("base_minor", "quantity"): ("unit_micro",),
    ("net_minor", "gross_minor"): ("net_minor", "gross_minor", "taxes"),
    ("shares",): ("discounts",),
    ("options",): ("options",),
}
_MADE_ONCE = ("cancelled_quantity", "fulfilled_quantity", "returned_quantity")
_KEPT = (
    "purchase_order_number", "note", "token_sha256", "token_expires_at", "source",
    "fulfilment_status",
)  # fmt: skip
_NOT_SENT = frozenset({"unfulfilled", "partially_allocated", "allocated"})


@dataclass(frozen=True, slots=True)
class Held:
    """An order as the core has it, before a document of it is written."""

    row: CoreRow
    lines: Sequence[CoreRow]
    around: Around

    @property
    def doc(self) -> OrderDoc:
        """As a document."""
        return document(self.row, self.lines, self.around)


def merged(
    held: Held, doc: OrderDoc, email: str, variants: Mapping[UUID, UUID]
) -> tuple[Json, list[Json]]:
    """Rows that say what the document says, and keep the rest."""
    old = held.doc
    row, lines = _row(held, old, doc, email), _lines(held, old, doc, variants)
    if document(row, lines, held.around) == doc:
        return row, lines
    # What stays does not go with what is new, e.g. with prices that are now without tax.
    bare = fresh_row(doc, email) | {name: held.row[name] for name in _KEPT}
    kept = {one["id"]: {name: one[name] for name in _MADE_ONCE} for one in held.lines}
    return bare, [
        fresh_line(doc, at, one, variants) | kept.get(one.id, {})
        for at, one in enumerate(doc.lines)
    ]


def _row(held: Held, old: OrderDoc, doc: OrderDoc, email: str) -> Json:
    new = fresh_row(doc, email)
    row = {name: held.row[name] for name in new}
    for fields, columns in _FIELDS.items():
        if any(getattr(old, one) != getattr(doc, one) for one in fields):
            row |= {name: new[name] for name in columns}
    _keep_company(held, row)
    if old.settled != doc.settled and not doc.settled and not placed_in_oscar(doc.id):
        row["payment_status"] = held.row["payment_status"]
    if old.stage != doc.stage:
        if doc.stage is Stage.COMPLETED and row["fulfilment_status"] in _NOT_SENT:
            row["fulfilment_status"] = FulfilmentStatus.SHIPPED.value
        row["cancel_reason"] = SYSTEM if doc.stage is Stage.CANCELLED else ""
    if old.stage is Stage.CANCELLED and doc.settled is Settled.UNSAID:
        row["payment_status"] = held.row["payment_status"]
    return row


def _keep_company(held: Held, row: Json) -> None:
    for name in ("shipping_address", "billing_address"):
        before, now = held.row[name], row[name]
        if before and now and before["company"] and not now["company"]:
            row[name] = now | {"company": before["company"]}


def _lines(held: Held, old: OrderDoc, doc: OrderDoc, variants: Mapping[UUID, UUID]) -> list[Json]:
    before = {line.id: (line, row) for line, row in zip(old.lines, held.lines, strict=True)}
    found = []
    for at, line in enumerate(doc.lines):
        new = fresh_line(doc, at, line, variants)
        was = before.get(line.id)
        found.append(new if was is None else _line(was, line, new, _is_sent(old, doc)))
    return found


def _is_sent(old: OrderDoc, doc: OrderDoc) -> bool:
    return doc.stage is Stage.COMPLETED and old.stage is not Stage.COMPLETED


def _line(was: tuple[Line, CoreRow], line: Line, new: Json, is_sent: bool) -> Json:
    old, kept = was
    row = {name: kept[name] for name in new} | {"position": new["position"]}
    for fields, columns in _OF_A_LINE.items():
        if any(getattr(old, one) != getattr(line, one) for one in fields):
            row |= {name: new[name] for name in columns}
    if is_sent:
        row["fulfilled_quantity"] = max(kept["fulfilled_quantity"], line.quantity)
    return row
