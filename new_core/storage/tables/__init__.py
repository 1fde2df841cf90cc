"""The core's tables, a file per module. The migrations make exactly these; a test compares."""

from __future__ import annotations

from new_core.storage.tables import (
    audit,
    carts,
    checkout,
    consent,
    customers,
    idempotency,
    identity,
    orders,
    outbox,
    payments,
    promotions,
    search,
    shipping,
    tax,
    webhooks,
)
from new_core.storage.tables.catalog import (
    asset,
    attribute_def,
    category,
    option,
    product,
    product_category,
    product_option,
    product_recommendation,
    product_type,
    product_type_option,
    reference_version,
    variant,
)
from new_core.storage.tables.imports import (
    external_ref,
    import_cursor,
    import_parked,
)
from new_core.storage.tables.inventory import (
    stock_level,
    warehouse,
)
from new_core.storage.tables.pricing import (
    price,
    price_list,
)
from new_core.storage.tables.schema import metadata

__all__ = [
    "asset",
    "attribute_def",
    "audit",
    "carts",
    "category",
    "checkout",
    "consent",
    "customers",
    "external_ref",
    "idempotency",
    "identity",
    "import_cursor",
    "import_parked",
    "metadata",
    "option",
    "orders",
    "outbox",
    "payments",
    "price",
    "price_list",
    "product",
    "product_category",
    "product_option",
    "product_recommendation",
    "product_type",
    "product_type_option",
    "promotions",
    "reference_version",
    "search",
    "shipping",
    "stock_level",
    "tax",
    "variant",
    "warehouse",
    "webhooks",
]
