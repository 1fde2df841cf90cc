"""What becomes of the core's rows when the other store says what it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from legacy_adapters.oscar.mapping.records import base_list
from legacy_adapters.oscar.mapping.sync_cells import derived, is_legacy_born
from legacy_adapters.oscar.mapping.sync_stock import StockRecord
from new_core.domain.stock_movement import MovementKind
from new_core.storage.inventory import IMPORT
from new_core.storage.statements import Row

Promises = dict[UUID, list[Row]]


@dataclass(frozen=True, slots=True)
class Before:
    """What the core has now, of what some documents are about.

    Attributes:
        docs: those that are there.
        levels: their rows.
        promises: open reservations of each level, oldest first.
        variants: by product that is there; None for one without.
        last_ranks: the highest by variant.
        prices: id of each level's base price.
    """

    docs: Mapping[UUID, StockRecord]
    levels: Mapping[UUID, Row]
    promises: Promises
    variants: Mapping[UUID, UUID | None]
    warehouses: frozenset[UUID]
    last_ranks: Mapping[UUID, int]
    prices: Mapping[UUID, UUID]

    def refusal(self, doc: StockRecord) -> str | None:
        """Why a document cannot be written; None when it can."""
        if doc.product_id not in self.variants:
            return f"needs product {doc.product_id}, which is not there"
        if doc.warehouse_id not in self.warehouses:
            return f"needs warehouse {doc.warehouse_id}, which is not there"
        return None

    def variant_of(self, doc: StockRecord) -> UUID:
        """The variant that a level is of, there or about to be made."""
        found = self.variants.get(doc.product_id) or doc.variant_id
        return found or derived(doc.product_id, "variant")

    def new_variant(self, doc: StockRecord) -> dict[str, Any]:
        """A row for a product that has none."""
        return {"id": self.variant_of(doc), "product_id": doc.product_id, "sku": None}

    def rank_of(self, doc: StockRecord) -> int:
        """A level's place among those of its variant: what was born here comes last."""
        if doc.rank is not None:
            return doc.rank
        row = self.levels.get(doc.id)
        if row is not None:
            return int(row["rank"])
        return self.last_ranks.get(self.variant_of(doc), -1) + 1


def own_id(ident: UUID) -> bool:
    """Whether the core had it first."""
    return not is_legacy_born(ident)


def settle(doc: StockRecord, promises: Sequence[Row]) -> tuple[int, list[dict[str, Any]]]:
    """Units that stay promised here, and the promises that end.

    1. An order is placed here and its units are promised, 2. the other store takes over and
    sends them: it counts fewer units promised than we do. So many of ours, the oldest first,
    are taken as sent; a promise to a checkout that stands open over there is taken back.
    """
    most, active = doc.reserved or 0, sum(one["quantity"] for one in promises)
    ended: list[dict[str, Any]] = []
    for one in sorted(promises, key=lambda one: one["state"] != "committed"):
        if active <= most:
            break
        active -= one["quantity"]
        to = "consumed" if one["state"] == "committed" else "expired"
        ended.append({"one": one["id"], "to": to})
    return active, ended


def level_row(doc: StockRecord, before: Before, promised: int) -> dict[str, Any]:
    """The row of a level; `promised` units are this store's own promises."""
    row = before.levels.get(doc.id)
    # As it is: the row that is to be inserted is checked even where it only overwrites.
    limit = row["backorder_limit"] if row is not None else 0
    reserved = doc.reserved or 0
    short = reserved - limit - doc.on_hand if doc.on_hand is not None else 0
    return {
        "id": doc.id,
        "variant_id": before.variant_of(doc),
        "warehouse_id": doc.warehouse_id,
        "sku": doc.sku,
        "rank": before.rank_of(doc),
        "on_hand": doc.on_hand,
        "reserved": doc.reserved,
        "low_at": doc.low_at,
        "reserved_elsewhere": reserved - promised,
        "backorder_limit": limit,
        "shortfall": max(0, short),
        "created_at": doc.created_at,
    }


def movement_row(
    after: Mapping[str, Any], before: Row | None, now: datetime
) -> dict[str, Any] | None:
    """The entry of the stock's book; None when nothing moved."""
    was = (before["on_hand"] or 0, before["reserved"] or 0) if before is not None else (0, 0)
    on_hand, reserved = (after["on_hand"] or 0) - was[0], (after["reserved"] or 0) - was[1]
    if not on_hand and not reserved:
        return None
    return {
        "stock_level_id": after["id"],
        "variant_id": after["variant_id"],
        "warehouse_id": after["warehouse_id"],
        "kind": MovementKind.ADJUST.value,
        "qty_on_hand": on_hand,
        "qty_reserved": reserved,
        "reason": "another system says so",
        "reference": "",
        "actor_kind": IMPORT.kind.value,
        "actor_id": IMPORT.id,
        "at": now,
    }


def price_row(doc: StockRecord, before: Before) -> dict[str, Any]:
    """The row of a level's price."""
    ident = doc.price_id or before.prices.get(doc.id) or derived(doc.id, "price")
    return {
        "id": ident,
        "price_list_id": base_list(doc.currency).id,
        "variant_id": before.variant_of(doc),
        "stock_level_id": doc.id,
        "min_qty": 1,
        "unit_micro": doc.unit_micro,
        "valid_from": None,
        "valid_to": None,
    }
