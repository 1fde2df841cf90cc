"""Stock records: what a place has of a product, and what it asks for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from legacy_adapters.mapping.aggregates import AggregateRows, Loss, Shape
from legacy_adapters.mapping.columns import Fate
from legacy_adapters.mapping.rows import Row, Table, key_text
from legacy_adapters.oscar.mapping import sync_cells as cells
from legacy_adapters.oscar.mapping.cells import Row as Cells
from legacy_adapters.oscar.mapping.columns import COLUMNS
from legacy_adapters.oscar.mapping.records import oscar_id, rank_of
from legacy_adapters.ports.documents import Own
from new_core.domain.currency import CURRENCIES, decimals

STOCK_RECORD = Table(
    "partner_stockrecord",
    ("id",),
    {
        "id": cells.INTEGER,
        "partner_sku": cells.TEXT,
        "price": cells.CENTS,
        "price_currency": cells.TEXT,
        "num_in_stock": cells.INTEGER,
        "num_allocated": cells.INTEGER,
        "low_stock_threshold": cells.INTEGER,
        "date_created": cells.MOMENT,
        "date_updated": cells.MOMENT,
        "partner_id": cells.INTEGER,
        "product_id": cells.INTEGER,
    },
)
_LONGEST_SKU = 128
_MICRO_DIGITS = 6


class StockRecord(msgspec.Struct, frozen=True):
    """One place's stock and price of one product.

    Attributes:
        variant_id, price_id, rank: as the legacy's keys give them; None for what was born in
            the core, which has its own.
        currency: "" where the core has no price at all.
        unit_micro: None for a price on request.
        reserved: units promised to orders; None when none ever was.
    """

    id: UUID
    product_id: UUID
    warehouse_id: UUID
    variant_id: UUID | None
    price_id: UUID | None
    rank: int | None
    sku: str
    currency: str
    unit_micro: int | None
    on_hand: int | None
    reserved: int | None
    low_at: int | None
    created_at: datetime


class StockTranslation:
    """Between partner_stockrecord and the core's stock levels with their prices."""

    shape = Shape("stock_record", STOCK_RECORD)
    entity_type = "stock_level"
    columns: Mapping[str, Mapping[str, Fate]] = {STOCK_RECORD.name: COLUMNS[STOCK_RECORD.name]}
    losses: Sequence[Loss] = (
        Loss("partner_stockrecord.date_updated", "stays as the legacy last wrote it"),
        Loss("partner_stockrecord.price", "a price finer than two decimals is rounded, halves up"),
        Loss("rank", "oscar sells from the oldest record, whatever order the core was told"),
        Loss("currency", "a level without any price gets the shop's currency"),
    )

    def __init__(self, currency: str) -> None:
        """Begin.

        Args:
            currency: the shop's, ISO 4217.
        """
        self._currency = currency

    def forward(self, rows: AggregateRows, known: cells.Known) -> StockRecord:
        """The stock record of a row."""
        row = Cells(STOCK_RECORD.name, cells.root_of(self.shape, rows))
        key, product_key = row.key("id"), row.key("product_id")
        currency = row.text("price_currency")
        if currency not in CURRENCIES:
            raise row.corrupt("price_currency", f"is {currency!r}, not an ISO 4217 code")
        ident = cells.id_of(known, "stock_level", key)
        product_id = cells.id_of(known, "product", product_key)
        is_ours = cells.is_legacy_born(ident)
        of_ours = cells.is_legacy_born(product_id)
        return StockRecord(
            id=ident,
            product_id=product_id,
            warehouse_id=cells.id_of(known, "warehouse", row.key("partner_id")),
            variant_id=oscar_id("variant", product_key) if of_ours else None,
            price_id=oscar_id("price", key) if is_ours else None,
            rank=rank_of(key) if is_ours else None,
            sku=row.text("partner_sku"),
            currency=currency,
            unit_micro=row.price_micro_or_none("price"),
            on_hand=row.integer_or_none("num_in_stock", least=0),
            reserved=row.integer_or_none("num_allocated", least=0),
            low_at=row.integer_or_none("low_stock_threshold", least=0),
            created_at=row.moment("date_created"),
        )

    def refers(self, rows: AggregateRows) -> Collection[tuple[str, str]]:
        """The record, its product and its partner."""
        row = cells.root_of(self.shape, rows)
        return (
            ("stock_level", key_text(STOCK_RECORD, row)),
            ("product", str(row["product_id"])),
            ("warehouse", str(row["partner_id"])),
        )

    def names(self, rows: AggregateRows, known: cells.Known) -> Mapping[tuple[str, str], UUID]:
        """The record."""
        key = key_text(STOCK_RECORD, cells.root_of(self.shape, rows))
        return {("stock_level", key): cells.id_of(known, "stock_level", key)}

    def owns(self, doc: StockRecord) -> Sequence[Own]:
        """The record."""
        return (Own("stock_level", doc.id),)

    def points_at(self, doc: StockRecord) -> Sequence[Own]:
        """Its product and its partner."""
        return (Own("product", doc.product_id), Own("warehouse", doc.warehouse_id))

    def reverse(
        self, doc: StockRecord, sidecar: AggregateRows, numbers: Mapping[UUID, str]
    ) -> AggregateRows:
        """The row of a stock record."""
        before = cells.before_of(self.shape, sidecar)
        created = cells.moment_text(doc.created_at)
        row: Row = {
            "id": int(numbers[doc.id]),
            "partner_sku": cells.fitting("partner_stockrecord.partner_sku", doc.sku, _LONGEST_SKU),
            "price": cells.cents_text(doc.unit_micro),
            "price_currency": doc.currency or before.get("price_currency", self._currency),
            "num_in_stock": doc.on_hand,
            "num_allocated": doc.reserved,
            "low_stock_threshold": doc.low_at,
            "date_created": created,
            "date_updated": before.get("date_updated", created),
            "partner_id": int(numbers[doc.warehouse_id]),
            "product_id": int(numbers[doc.product_id]),
        }
        return {STOCK_RECORD.name: (row,)}

    def money(self, doc: StockRecord) -> tuple[int, str] | None:
        """The price of one unit."""
        if doc.unit_micro is None or not doc.currency:
            return None
        step = 10 ** (_MICRO_DIGITS - decimals(doc.currency))
        return (doc.unit_micro + step // 2) // step, doc.currency
