"""Wires settings, storage and the API together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from new_core.api import problems
from new_core.api.dry_runs import DryRuns
from new_core.api.observe import Metrics, Observed
from new_core.api.routes import routes
from new_core.errors import CoreError
from new_core.ports import Database
from new_core.settings import CoreSettings
from new_core.storage import SqlDatabase, make_engine, make_reader, make_trier, upgrade

Extend = Callable[[FastAPI, Database], None]
"""Adds routes to the core's application, on the core's database."""


def build_core(settings: CoreSettings, *, extensions: tuple[Extend, ...] = ()) -> FastAPI:
    """The core as an ASGI application; it migrates its database when it starts.

    Args:
        settings: where the database is.
        extensions: called once each while the application is built, e.g. facades.

    Raises:
        InvalidValue: the database URL is of no use.
    """
    engine = make_engine(
        settings.database, busy_timeout_s=settings.busy_timeout_s, pool_size=settings.pool_size
    )
    database = SqlDatabase(
        engine,
        make_reader(settings.database, pool_size=settings.pool_size),
        make_trier(settings.database),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await upgrade(engine)
            yield
        finally:
            await database.dispose()

    app = FastAPI(
        title="Banyan commerce core",
        version="1",
        description="Catalogue, prices and stock. Money is a decimal string with a currency.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=problems.described(400),
    )
    metrics = Metrics()
    problems.install(app)
    api = routes(database, _utc_now)
    app.include_router(api)
    included = len(app.routes)
    _add_operations(app, database, metrics)
    for extend in extensions:
        extend(app, database)
    _describe(app)
    # An included router does not show its routes; one of a facade is known to nobody here,
    # so nothing in it is run dry.
    known = (*api.routes, *app.routes[included:])
    app.add_middleware(DryRuns, database=database, routes=known, metrics=metrics)
    app.add_middleware(Observed, metrics=metrics)
    return app


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


def _describe(app: FastAPI) -> None:
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
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
        return document

    app.openapi = with_problems  # type: ignore[method-assign]  # FastAPI documents this way


def _utc_now() -> datetime:
    return datetime.now(tz=UTC)  # noqa: TID251 - this is the clock that is handed down
