"""Transactions, and the stores that each of them has."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Protocol, Self

from new_core.ports.assortments import AssortmentStore
from new_core.ports.audit import AuditStore
from new_core.ports.carts import CartStore
from new_core.ports.catalog import CatalogStore
from new_core.ports.checkout import CheckoutStore
from new_core.ports.consent import ConsentStore
from new_core.ports.customers import CustomerStore
from new_core.ports.health import HealthStore
from new_core.ports.idempotency import IdempotencyStore
from new_core.ports.identity import IdentityStore
from new_core.ports.imports import ImportStore, RefStore
from new_core.ports.inventory import StockStore
from new_core.ports.orders import OrderStore
from new_core.ports.outbox import OutboxStore
from new_core.ports.payments import PaymentStore
from new_core.ports.pricing import PricingStore
from new_core.ports.promotions import PromotionStore
from new_core.ports.reservation import ReservationStore
from new_core.ports.search import SearchStore
from new_core.ports.shipping import ShippingStore
from new_core.ports.stock_books import StockBookStore
from new_core.ports.tax import TaxStore
from new_core.ports.webhooks import WebhookStore


class UnitOfWork(Protocol):
    """One transaction. Leaving without `commit()` rolls back, error or not.

    All reads in it see one state of the database. Not shared: one task, one unit of work,
    entered once.

    Raises:
        StoreUnavailable: from any call, when the database does not answer.
    """

    @property
    def catalog(self) -> CatalogStore: ...
    @property
    def pricing(self) -> PricingStore: ...
    @property
    def stock(self) -> StockStore: ...
    @property
    def assortments(self) -> AssortmentStore: ...
    @property
    def audit(self) -> AuditStore: ...
    @property
    def carts(self) -> CartStore: ...
    @property
    def checkout(self) -> CheckoutStore: ...
    @property
    def consent(self) -> ConsentStore: ...
    @property
    def customers(self) -> CustomerStore: ...
    @property
    def health(self) -> HealthStore: ...
    @property
    def idempotency(self) -> IdempotencyStore: ...
    @property
    def identity(self) -> IdentityStore: ...
    @property
    def orders(self) -> OrderStore: ...
    @property
    def outbox(self) -> OutboxStore: ...
    @property
    def payments(self) -> PaymentStore: ...
    @property
    def promotions(self) -> PromotionStore: ...
    @property
    def reservations(self) -> ReservationStore: ...
    @property
    def search(self) -> SearchStore: ...
    @property
    def shipping(self) -> ShippingStore: ...
    @property
    def stock_books(self) -> StockBookStore: ...
    @property
    def tax(self) -> TaxStore: ...
    @property
    def webhooks(self) -> WebhookStore: ...
    @property
    def refs(self) -> RefStore: ...
    @property
    def imports(self) -> ImportStore: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    async def commit(self) -> None: ...


class Database(Protocol):
    """Makes units of work."""

    def reading(self) -> UnitOfWork:
        """A transaction that only reads, of one snapshot, and blocks no writer."""
        ...

    def writing(self) -> UnitOfWork:
        """A transaction that may write."""
        ...

    def dry_run(self) -> AbstractAsyncContextManager[None]:
        """All units of work that this block and its tasks open become one transaction, which
        is rolled back at the end whatever they commit. Effects are off in it.

        Raises:
            DryRunStrayed: something in it wanted to leave that transaction; nothing stays.
            DryRunNotTakenBack: nobody can tell that nothing stays.
        """
        ...

    async def check(self) -> None:
        """Ask the database whether it answers and has this program's tables.

        Raises:
            StoreUnavailable: it does not answer.
            SchemaMismatch: its tables are older or newer.
        """
        ...
