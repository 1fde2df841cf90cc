"""Wires settings, storage and the API together."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from new_core.api import (
    audit,
    carts,
    catalog,
    checkout,
    consent,
    customers,
    health,
    idempotency,
    identity,
    inventory,
    orders,
    outbox,
    payments,
    pricing,
    problems,
    promotions,
    search,
    shipping,
    tax,
    webhooks,
)
from new_core.api.auth import Gate, describe_needs, without_token
from new_core.api.dry_runs import DryRuns
from new_core.api.gateway_metrics import GatewayMetrics
from new_core.api.house import House, Module, Worker
from new_core.api.observe import Metrics, Observed
from new_core.api.paying_till import open_gateways
from new_core.api.rate_limits import RateLimited
from new_core.api.working import working
from new_core.domain.rate_limit import RateLimit
from new_core.errors import CoreError, InvalidValue
from new_core.ports import Database
from new_core.settings import CoreSettings
from new_core.storage import MarkDryRun, SqlDatabase, make_engine, make_reader, make_trier, upgrade
from new_core.storage.ids import new_id

MODULES: Mapping[str, Module] = {
    "catalog": Module(catalog.routes),
    "search": Module(search.routes, search.workers),
    "pricing": Module(pricing.routes, pricing.workers),
    "promotions": Module(promotions.routes, promotions.workers),
    "tax": Module(tax.routes),
    "inventory": Module(inventory.routes, inventory.workers),
    "shipping": Module(shipping.routes),
    "carts": Module(carts.routes, carts.workers),
    "checkout": Module(checkout.routes, checkout.workers),
    "payments": Module(payments.routes, payments.workers),
    "orders": Module(orders.routes, orders.workers),
    "customers": Module(customers.routes, customers.workers),
    "consent": Module(consent.routes, consent.workers),
    "identity": Module(identity.routes, identity.workers),
    "idempotency": Module(workers=idempotency.workers),
    "audit": Module(audit.routes, audit.workers),
    "outbox": Module(outbox.routes, outbox.workers),
    "webhooks": Module(webhooks.routes, webhooks.workers),
    "health": Module(workers=health.workers),
}
"""Every part of the core, by the name that `banyan core --modules` takes."""

Extend = Callable[[FastAPI, Database], None]
"""Adds routes to the core's application, on the core's database."""


@dataclass(frozen=True, slots=True)
class Facade:
    """Another shop's API, answered by this core beside its own.

    Attributes:
        path: where it is mounted.
        make: gives the application, and the routes of its writes as they look from outside,
            those that can be taken back with TAKES_BACK: without it no dry run gets there.
        prepare: brings its own tables, which live in the core's database, up to date.
        workers: what it does beside the requests.
    """

    path: str
    make: Callable[[House], tuple[ASGIApp, Sequence[BaseRoute]]]
    prepare: Callable[[AsyncEngine], Awaitable[None]]
    workers: Callable[[House], tuple[Worker, ...]] = lambda _: ()


def build_core(
    settings: CoreSettings,
    *,
    extensions: tuple[Extend, ...] = (),
    facades: tuple[Facade, ...] = (),
    mark_dry_run: MarkDryRun | None = None,
) -> FastAPI:
    """The core as an ASGI application; it migrates its database when it starts.

    Args:
        settings: where the database is.
        extensions: called once each while the application is built.
        facades: mounted each at its path.
        mark_dry_run: see SqlDatabase.

    Raises:
        InvalidValue: the database URL is of no use, or a module is not there.
    """
    engine = make_engine(
        settings.database, busy_timeout_s=settings.busy_timeout_s, pool_size=settings.pool_size
    )
    database = SqlDatabase(
        engine,
        make_reader(settings.database, pool_size=settings.pool_size),
        make_trier(settings.database),
        mark_dry_run,
    )

    metrics = Metrics()
    gateways = open_gateways(settings, GatewayMetrics(metrics.registry))
    house = House(database, _utc_now, new_id, settings, metrics, gateways)
    chosen = chosen_modules(settings.core_modules)
    theirs = (worker for facade in facades for worker in facade.workers(house))
    workers = (*_workers(house, chosen), *theirs)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await upgrade(engine)
            for facade in facades:
                await facade.prepare(engine)
            async with working(workers):
                yield
        finally:
            await gateways.close()
            await database.dispose()

    app = FastAPI(
        title="Banyan commerce core",
        version="1",
        description="A headless commerce core. Money is a decimal string with a currency.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=problems.described(400, *([429] if settings.core_rate_limit else [])),
    )
    problems.install(app)
    app.state.house = house
    app.state.gate = Gate(identity.identify(house), without_token(settings.core_auth))
    known: list[BaseRoute] = []
    for module in chosen:
        if module.routes is not None:
            router = module.routes(house)
            app.include_router(router)
            known.extend(router.routes)
    included = len(app.routes)
    _add_operations(app, database, metrics)
    for extend in extensions:
        extend(app, database)
    _describe(app, tuple(known))
    # An included router does not show its routes; a facade tells those of its writes.
    known.extend(app.routes[included:])
    for facade in facades:
        mounted, writes = facade.make(house)
        app.mount(facade.path, mounted)
        known.extend(writes)
    app.state.routes = tuple(known)
    app.add_middleware(DryRuns, database=database, routes=known, metrics=metrics)
    _limit(app, settings)
    app.add_middleware(Observed, metrics=metrics)
    return app


def _limit(app: FastAPI, settings: CoreSettings) -> None:
    if settings.core_rate_limit:
        limit = RateLimit(settings.core_rate_limit, settings.core_rate_burst)
        app.add_middleware(RateLimited, limit=limit, clock_s=time.monotonic)


def chosen_modules(names: str) -> tuple[Module, ...]:
    """The modules of these names, separated by commas; all of them when there is no name.

    Raises:
        InvalidValue: there is no module of a name.
    """
    wanted = [one.strip() for one in names.split(",") if one.strip()] or list(MODULES)
    unknown = sorted(set(wanted) - MODULES.keys())
    if unknown:
        raise InvalidValue(
            "modules", f"{', '.join(unknown)} is not there; choose from {', '.join(MODULES)}"
        )
    return tuple(module for name, module in MODULES.items() if name in wanted)


def _workers(house: House, chosen: tuple[Module, ...]) -> tuple[Worker, ...]:
    made = (module.workers(house) for module in chosen if module.workers is not None)
    return tuple(worker for some in made for worker in some)


def _add_operations(app: FastAPI, database: Database, metrics: Metrics) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def ready(request: Request) -> Response:
        try:
            await database.check()
        except CoreError as exc:
            return problems.problem(request, 503, "not_ready", str(exc))
        return Response('{"status":"ready"}', media_type="application/json")

    @app.get("/metrics", include_in_schema=False)
    async def measured() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _describe(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Put the schema of problems, which no route returns by type, into the OpenAPI document."""
    plain = app.openapi

    def with_problems() -> dict[str, object]:
        fresh = app.openapi_schema is None
        document = plain()
        if fresh:
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schema = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(schema.pop("$defs", {}))
            schemas["Problem"] = schema
            describe_needs(document, routes)
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
        return document

    app.openapi = with_problems  # type: ignore[method-assign]  # FastAPI documents this way


def _utc_now() -> datetime:
    return datetime.now(tz=UTC)  # noqa: TID251 - this is the clock that is handed down
