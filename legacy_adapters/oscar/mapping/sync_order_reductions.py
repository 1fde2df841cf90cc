"""Rows of what offers took off an order, and of what its lines have besides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

from legacy_adapters.errors import RowCorrupt
from legacy_adapters.mapping.rows import Cell
from legacy_adapters.mapping.rows import Row as Cells
from legacy_adapters.oscar.mapping.orders import NOBODYS
from legacy_adapters.oscar.mapping.sync_order_documents import Line, Reduction
from legacy_adapters.oscar.mapping.sync_order_numbers import (
    Writing,
    option_ids,
    option_names,
    reduction_ids,
    reduction_names,
    share_ids,
    share_names,
    whole,
)
from legacy_adapters.oscar.mapping.sync_order_reading import DEFERRED, deferred
from legacy_adapters.oscar.mapping.sync_order_tables import (
    DISCOUNT,
    LINE_ATTRIBUTE,
    LINE_DISCOUNT,
)


def reductions(one: Writing) -> list[tuple[Reduction, Cells]]:
    """What offers took off the order, each with its row."""
    shown = [cells for cells in one.sidecar.get(DISCOUNT.name, ()) if cells["category"] != DEFERRED]
    if not one.is_new("reductions", "currency"):
        return list(zip(one.doc.reductions, shown, strict=True))
    before = one.before.reductions if one.before is not None else ()
    known = dict(zip(reduction_names(before), shown, strict=False))
    wanted = one.doc.reductions
    return [
        (each, _reduction(one, each, ident, known.get(name)))
        for name, each, ident in zip(
            reduction_names(wanted), wanted, reduction_ids(one.doc), strict=True
        )
    ]


def _reduction(one: Writing, each: Reduction, ident: UUID, old: Cells | None) -> Cells:
    told: dict[str, Cell] = {"offer_name": each.name, "amount": one.amount(each.minor)}
    if old is not None:
        return {**old, **told}
    offer, voucher = _offer(one, each)
    return whole(DISCOUNT.columns, {
        "id": one.key(ident), "category": "Shipping" if each.of_shipping else "Basket",
        "offer_id": offer, "voucher_id": voucher, "voucher_code": each.coupon, "frequency": 1,
        "message": "", "order_id": one.key(one.doc.id), **told,
    })  # fmt: skip


def _offer(one: Writing, each: Reduction) -> tuple[int | None, int | None]:
    """Numbers of the offer and of its voucher; those born in the core have one for both."""
    if each.promotion_id == NOBODYS:
        return None, 0 if each.coupon else None
    number = one.numbers.get(each.promotion_id)
    if number is None:
        raise RowCorrupt(DISCOUNT.name, f"needs the number of {each.promotion_id}")
    offer, _, voucher = number.partition("/")
    if not each.coupon:
        return int(offer), None
    return int(offer), int(voucher) if voucher.isdigit() else int(offer)


class LineParts:
    """Rows of lines' discounts and options."""

    def __init__(self, one: Writing, known: Sequence[tuple[Reduction, Cells]]) -> None:
        self.shares: list[Cells] = []
        self.options: list[Cells] = []
        self._one = one
        self._later = deferred(one.sidecar)
        self._discounts = {cells["id"] for _, cells in known}
        self._rows: dict[tuple[UUID, str], Cell] = {}
        for each, cells in known:
            self._rows.setdefault((each.promotion_id, each.coupon), cells["id"])

    def add(self, line: Line, before: Line | None, key: Cell) -> None:
        """Add a line's."""
        old = self._old(LINE_DISCOUNT.name, key)
        self.shares += [cells for cells in old if cells["order_discount_id"] in self._later]
        shares = [cells for cells in old if cells["order_discount_id"] not in self._later]
        lost = any(cells["order_discount_id"] not in self._discounts for cells in shares)
        is_new = self._one.is_new("currency") or lost
        if before is None or line.shares != before.shares or is_new:
            shares = self._shares(line, before, shares)
        options = self._old(LINE_ATTRIBUTE.name, key)
        if before is None or line.options != before.options:
            options = self._options(line, before, options)
        self.shares += shares
        self.options += options

    def _old(self, table: str, key: Cell) -> list[Cells]:
        return [cells for cells in self._one.sidecar.get(table, ()) if cells["line_id"] == key]

    def _shares(self, line: Line, before: Line | None, old: Sequence[Cells]) -> list[Cells]:
        known = dict(zip(share_names(before.shares if before else ()), old, strict=False))
        made = []
        for name, each, ident in zip(
            share_names(line.shares), line.shares, share_ids(line), strict=True
        ):
            of = self._rows.get((each.promotion_id, each.coupon))
            if of is None:
                raise RowCorrupt(LINE_DISCOUNT.name, "is part of no discount of its order")
            cells = known.get(name) or {
                "id": self._one.key(ident), "is_incl_tax": self._one.doc.tax_included,
                "line_id": self._one.key(line.id),
            }  # fmt: skip
            told = {"amount": self._one.amount(each.minor), "order_discount_id": of}
            made.append(whole(LINE_DISCOUNT.columns, {**cells, **told}))
        return made

    def _options(self, line: Line, before: Line | None, old: Sequence[Cells]) -> list[Cells]:
        known = dict(zip(option_names(before.options if before else ()), old, strict=False))
        made = []
        for name, (code, value), ident in zip(
            option_names(line.options), line.options, option_ids(line), strict=True
        ):
            cells = known.get(name) or {
                "id": self._one.key(ident), "type": code, "option_id": None,
                "line_id": self._one.key(line.id),
            }  # fmt: skip
            told = {"value": json.dumps(value, ensure_ascii=False)}
            made.append(whole(LINE_ATTRIBUTE.columns, {**cells, **told}))
        return made
