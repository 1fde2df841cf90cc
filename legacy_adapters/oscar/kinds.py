"""What of an oscar shop moves, and which of it flips as one."""

from __future__ import annotations

from typing import Any

from legacy_adapters.oscar.domains import DOMAINS
from legacy_adapters.oscar.mapping.sync_cart import CartTranslation
from legacy_adapters.oscar.mapping.sync_catalog import (
    AttributeTranslation,
    CategoryTranslation,
    OptionTranslation,
    TypeTranslation,
    WarehouseTranslation,
)
from legacy_adapters.oscar.mapping.sync_catalog_choices import ChoiceListTranslation
from legacy_adapters.oscar.mapping.sync_catalog_products import ProductTranslation
from legacy_adapters.oscar.mapping.sync_customer import CustomerTranslation
from legacy_adapters.oscar.mapping.sync_order import OrderTranslation
from legacy_adapters.oscar.mapping.sync_session import SessionTranslation
from legacy_adapters.oscar.mapping.sync_stock import StockTranslation
from legacy_adapters.oscar.storage.core_carts import SqlCartDocuments
from legacy_adapters.oscar.storage.core_catalog import (
    attribute_documents,
    category_documents,
    option_documents,
    type_documents,
    warehouse_documents,
)
from legacy_adapters.oscar.storage.core_catalog_choices import SqlChoiceLists
from legacy_adapters.oscar.storage.core_catalog_products import SqlProductDocuments
from legacy_adapters.oscar.storage.core_customers import CustomerDocuments
from legacy_adapters.oscar.storage.core_orders import OrderDocuments
from legacy_adapters.oscar.storage.core_sessions import SqlSessionDocuments
from legacy_adapters.oscar.storage.core_stock import SqlStockRecords
from legacy_adapters.ports.documents import Kind
from legacy_adapters.settings import OscarSettings

__all__ = ["DOMAINS", "KINDS", "kinds"]


def kinds(settings: OscarSettings) -> tuple[Kind[Any], ...]:
    """In the order in which they may be applied. Sessions are among them only where the shop's
    secret key is known: what oscar would not take as signed is not written to it.
    """
    secret_key = settings.secret_key.get_secret_value()
    found = _all(settings.currency, secret_key)
    return tuple(one for one in found if secret_key or one.name != "session")


def _all(currency: str, secret_key: str) -> tuple[Kind[Any], ...]:
    return (
        Kind("option", "catalog", OptionTranslation(), option_documents()),
        Kind("product_type", "catalog", TypeTranslation(), type_documents()),
        Kind("choice_list", "catalog", ChoiceListTranslation(), SqlChoiceLists()),
        Kind("attribute", "catalog", AttributeTranslation(), attribute_documents()),
        Kind("category", "catalog", CategoryTranslation(), category_documents()),
        Kind("warehouse", "catalog", WarehouseTranslation(), warehouse_documents()),
        Kind("product", "catalog", ProductTranslation(), SqlProductDocuments()),
        Kind("customer", "customers", CustomerTranslation(), CustomerDocuments()),
        Kind("stock_record", "orders", StockTranslation(currency), SqlStockRecords()),
        Kind("cart", "orders", CartTranslation(), SqlCartDocuments(currency)),
        Kind("session", "orders", SessionTranslation(secret_key), SqlSessionDocuments(secret_key)),
        Kind("order", "orders", OrderTranslation(), OrderDocuments()),
    )


KINDS = _all("GBP", "")
"""All of them, for what needs no setting of the shop: shapes and columns."""
