"""Units of work on SQLAlchemy, and the one place where its errors become ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction
from typing_extensions import override

from new_core.errors import (
    CoreError,
    DryRunStrayed,
    InvalidValue,
    SchemaMismatch,
    StoreUnavailable,
)
from new_core.ports import UnitOfWork
from new_core.service.effects import without_effects
from new_core.storage.assortments import SqlAssortments
from new_core.storage.audit import SqlAudit
from new_core.storage.carts import SqlCarts
from new_core.storage.catalog import SqlCatalog
from new_core.storage.checkout import SqlCheckout
from new_core.storage.consent import SqlConsent
from new_core.storage.customers import SqlCustomers
from new_core.storage.dry_run import (
    MarkDryRun,
    SqlDryRun,
    current_run,
    in_force,
    watch_all_engines,
)
from new_core.storage.engine import WRITING
from new_core.storage.fenced_writes import tell_fenced_writes
from new_core.storage.health import SqlHealth
from new_core.storage.idempotency import SqlIdempotency
from new_core.storage.identity import SqlIdentity
from new_core.storage.inventory import SqlInventory
from new_core.storage.migrate import current_revision, head_revision
from new_core.storage.orders import SqlOrders
from new_core.storage.outbox import SqlOutbox
from new_core.storage.payments import SqlPayments
from new_core.storage.pricing import SqlPricing
from new_core.storage.promotions import SqlPromotions
from new_core.storage.reference import CatalogCache
from new_core.storage.refs import SqlImports, SqlRefs
from new_core.storage.reservation import SqlReservations
from new_core.storage.search import SqlSearch
from new_core.storage.shipping import SqlShipping
from new_core.storage.stock_books import SqlStockBooks
from new_core.storage.tax import SqlTax
from new_core.storage.webhooks import SqlWebhooks


class SqlDatabase:
    """Makes units of work on an engine that writes and one that reads.

    Shared by all tasks of a process.
    """

    def __init__(
        self,
        writer: AsyncEngine,
        reader: AsyncEngine,
        trier: AsyncEngine | None = None,
        mark_dry_run: MarkDryRun | None = None,
    ) -> None:
        """Begin without connections.

        Args:
            writer: for what is to stay.
            reader: for reads.
            trier: for dry runs alone; without it there are none.
            mark_dry_run: called first in the transaction of each dry run; what it says there,
                e.g. whose the transaction is, is taken back with it.
        """
        self._reading = reader
        self._writing = writer.execution_options(**{WRITING: True})
        self._trying = trier.execution_options(**{WRITING: True}) if trier is not None else None
        self._mark_dry_run = mark_dry_run
        self._cache = CatalogCache()
        watch_all_engines()
        for engine in (writer, trier):
            if engine is not None:
                tell_fenced_writes(engine)

    async def dispose(self) -> None:
        """Close all connections."""
        await self._reading.dispose()
        await self._writing.dispose()
        if self._trying is not None:
            await self._trying.dispose()

    def reading(self) -> SqlUnitOfWork:
        run = current_run()
        if run is not None:
            return _DryUnitOfWork(run)
        return SqlUnitOfWork(self._reading, self._cache)

    def writing(self) -> SqlUnitOfWork:
        run = current_run()
        if run is not None:
            return _DryUnitOfWork(run)
        # A cache of its own: what this transaction wrote may yet be rolled back.
        return SqlUnitOfWork(self._writing, CatalogCache())

    @asynccontextmanager
    async def dry_run(self) -> AsyncIterator[None]:
        if self._trying is None:
            raise DryRunStrayed("this process makes no dry runs")
        run = SqlDryRun(self._trying, self._mark_dry_run)
        with without_effects() as refused, in_force(run):
            try:
                yield
            finally:
                await run.take_back()
                stray = run.stray or (refused[0] if refused else None)
                if stray is not None:
                    raise DryRunStrayed(stray)

    async def check(self) -> None:
        revision = await current_revision(self._reading)
        if revision != head_revision():
            raise SchemaMismatch(
                f"the database is at revision {revision}, this program needs {head_revision()}"
            )


class SqlUnitOfWork:
    """One transaction on one connection."""

    catalog: SqlCatalog
    pricing: SqlPricing
    stock: SqlInventory
    assortments: SqlAssortments
    audit: SqlAudit
    carts: SqlCarts
    checkout: SqlCheckout
    consent: SqlConsent
    customers: SqlCustomers
    health: SqlHealth
    idempotency: SqlIdempotency
    identity: SqlIdentity
    orders: SqlOrders
    outbox: SqlOutbox
    payments: SqlPayments
    promotions: SqlPromotions
    reservations: SqlReservations
    search: SqlSearch
    shipping: SqlShipping
    stock_books: SqlStockBooks
    tax: SqlTax
    webhooks: SqlWebhooks
    refs: SqlRefs
    imports: SqlImports

    def __init__(self, engine: AsyncEngine, cache: CatalogCache) -> None:
        self._engine = engine
        self._cache = cache
        self._connection: AsyncConnection | None = None
        self._transaction: AsyncTransaction | None = None

    async def __aenter__(self) -> Self:
        connection: AsyncConnection | None = None
        try:
            connection = await self._engine.connect()
            self._transaction = await connection.begin()
        except (SQLAlchemyError, OSError) as exc:
            if connection is not None:
                await connection.close()
            raise _ours(exc) from exc
        except BaseException:
            # Cut short while it waits for a lock: the connection must not go back to the pool
            # with a transaction that begins a moment later.
            if connection is not None:
                await connection.invalidate()
                await connection.close()
            raise
        self._use(connection)
        return self

    @property
    def connection(self) -> AsyncConnection:
        """The connection while the unit of work is open; for storage and its tests."""
        if self._connection is None:
            raise RuntimeError("the unit of work is not open")
        return self._connection

    def _use(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.catalog = SqlCatalog(connection, self._cache)
        self.pricing = SqlPricing(connection)
        self.stock = SqlInventory(connection)
        self.assortments = SqlAssortments(connection)
        self.audit = SqlAudit(connection)
        self.carts = SqlCarts(connection)
        self.checkout = SqlCheckout(connection)
        self.consent = SqlConsent(connection)
        self.customers = SqlCustomers(connection)
        self.health = SqlHealth(connection)
        self.idempotency = SqlIdempotency(connection)
        self.identity = SqlIdentity(connection)
        self.orders = SqlOrders(connection)
        self.outbox = SqlOutbox(connection)
        self.payments = SqlPayments(connection)
        self.promotions = SqlPromotions(connection)
        self.reservations = SqlReservations(connection)
        self.search = SqlSearch(connection)
        self.shipping = SqlShipping(connection)
        self.stock_books = SqlStockBooks(connection)
        self.tax = SqlTax(connection)
        self.webhooks = SqlWebhooks(connection)
        self.refs = SqlRefs(connection)
        self.imports = SqlImports(connection)

    async def commit(self) -> None:
        if self._transaction is not None:
            # Last of all, so that nobody waits for a row while it holds an event's place.
            await self.outbox.flush()
            await self._transaction.commit()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._transaction is not None and self._transaction.is_active:
                await self._transaction.rollback()
        finally:
            if self._connection is not None:
                await self._connection.close()
        if isinstance(error, SQLAlchemyError | OSError):
            raise _ours(error) from error


def connection_of(uow: UnitOfWork) -> AsyncConnection:
    """The connection of an entered unit of work, for tables that others keep in this database.

    What is written there stays or goes with the unit of work, and with a dry run.
    """
    if not isinstance(uow, SqlUnitOfWork):
        raise TypeError("only a unit of work of this package has a connection")
    return uow.connection


class _DryUnitOfWork(SqlUnitOfWork):
    """A part of a dry run's transaction: what it commits, later parts of the run see."""

    def __init__(self, run: SqlDryRun) -> None:
        # A cache of its own: what it reads here nobody else may ever see.
        super().__init__(run.engine, CatalogCache())
        self._run = run

    @override
    async def __aenter__(self) -> Self:
        try:
            connection = await self._run.lend()
        except (SQLAlchemyError, OSError) as exc:
            raise _ours(exc) from exc
        try:
            self._transaction = await connection.begin_nested()
        except (SQLAlchemyError, OSError) as exc:
            self._run.give_back()
            raise _ours(exc) from exc
        self._use(connection)
        return self

    @override
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._transaction is not None and self._transaction.is_active:
                await self._transaction.rollback()
        finally:
            self._run.give_back()
        if isinstance(error, SQLAlchemyError | OSError):
            raise _ours(error) from error


def _ours(error: SQLAlchemyError | OSError) -> CoreError:
    """What a caller can act on: mend the value, or try again later."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, IntegrityError | DataError):
        return InvalidValue("row", f"breaks a rule of the database: {text}")
    if isinstance(error, OSError | PoolTimeoutError | DBAPIError):
        return StoreUnavailable(text)
    return CoreError(text)
