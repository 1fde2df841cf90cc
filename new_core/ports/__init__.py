"""What the services need from the outside, as they see it; a file per module."""

from __future__ import annotations

from new_core.ports.assortments import AssortmentStore
from new_core.ports.audit import AuditStore
from new_core.ports.carts import CartStore
from new_core.ports.catalog import CatalogStore, ProductQuery
from new_core.ports.checkout import Checkout, CheckoutStore
from new_core.ports.clock import Clock, NewId
from new_core.ports.consent import ConsentStore
from new_core.ports.customers import CustomerStore
from new_core.ports.database import Database, UnitOfWork
from new_core.ports.idempotency import IdempotencyStore, KeptAnswer, RequestKey
from new_core.ports.identity import IdentityStore
from new_core.ports.imports import ImportCursor, ImportStore, Parked, RefStore
from new_core.ports.inventory import Place, Sellable, StockLine, StockQuery, StockStore
from new_core.ports.orders import OrderQuery, OrderStore
from new_core.ports.outbox import Backlog, EventBus, EventQuery, OutboxStore
from new_core.ports.payments import Gateway, PaymentQuery, PaymentStore
from new_core.ports.pricing import PriceQuery, PricingStore
from new_core.ports.promotions import PromotionStore, Usage
from new_core.ports.reservation import ReservationQuery, ReservationStore
from new_core.ports.search import SearchStore
from new_core.ports.settling import MoneyMoved, Settle
from new_core.ports.shipping import ShippingStore
from new_core.ports.stock_books import MovementQuery, StockBookStore
from new_core.ports.tax import TaxStore
from new_core.ports.webhooks import WebhookStore

__all__ = [
    "AssortmentStore",
    "AuditStore",
    "Backlog",
    "CartStore",
    "CatalogStore",
    "Checkout",
    "CheckoutStore",
    "Clock",
    "ConsentStore",
    "CustomerStore",
    "Database",
    "EventBus",
    "EventQuery",
    "Gateway",
    "IdempotencyStore",
    "IdentityStore",
    "ImportCursor",
    "ImportStore",
    "KeptAnswer",
    "MoneyMoved",
    "MovementQuery",
    "NewId",
    "OrderQuery",
    "OrderStore",
    "OutboxStore",
    "Parked",
    "PaymentQuery",
    "PaymentStore",
    "Place",
    "PriceQuery",
    "PricingStore",
    "ProductQuery",
    "PromotionStore",
    "RefStore",
    "RequestKey",
    "ReservationQuery",
    "ReservationStore",
    "SearchStore",
    "Sellable",
    "Settle",
    "ShippingStore",
    "StockBookStore",
    "StockLine",
    "StockQuery",
    "StockStore",
    "TaxStore",
    "UnitOfWork",
    "Usage",
    "WebhookStore",
]
