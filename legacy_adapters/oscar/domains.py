"""Which of an oscar shop flips as one. Light to load: a rollback asks for it."""

from __future__ import annotations

from legacy_adapters.mapping.aggregates import SyncDomain

DOMAINS = (
    SyncDomain(
        "catalog",
        (
            "option",
            "product_type",
            "choice_list",
            "attribute",
            "category",
            "warehouse",
            "product",
        ),
        ("catalog", "categories"),
    ),
    SyncDomain("customers", ("customer",), ("account",)),
    # Checking out writes the basket, the order and the stock record, which has the price too.
    SyncDomain(
        "orders",
        ("stock_record", "cart", "session", "order"),
        ("cart", "checkout", "stock", "price"),
        needs=("catalog", "customers"),
    ),
)
"""No write of oscar touches two of them."""
