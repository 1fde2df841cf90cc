"""Wires the core with the facades of the legacy stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from legacy_adapters.oscar.database import OscarDatabase
from legacy_adapters.oscar.facade.catalogue import OscarFacade
from legacy_adapters.oscar.source import OscarSource
from legacy_adapters.ports import Progress
from legacy_adapters.service.backfill import Backfill
from legacy_adapters.service.report import Report
from legacy_adapters.settings import OscarSettings
from new_core.app import Extend, build_core
from new_core.ports import Database
from new_core.settings import CoreSettings
from new_core.storage import SqlDatabase, make_engine, make_reader, upgrade


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the core with its facades reads from the environment."""

    core: CoreSettings = field(default_factory=CoreSettings)
    oscar: OscarSettings = field(default_factory=OscarSettings)


def build_app(settings: Settings) -> FastAPI:
    """The core with every facade mounted at /facade/NAME.

    Raises:
        InvalidValue: the database URL is of no use.
    """
    facades: dict[str, Callable[[Settings, Database], OscarFacade]] = {"oscar": _oscar}

    def mount(name: str) -> Extend:
        def extend(app: FastAPI, database: Database) -> None:
            app.mount(f"/facade/{name}", facades[name](settings, database))

        return extend

    return build_core(settings.core, extensions=tuple(mount(name) for name in facades))


def _oscar(settings: Settings, database: Database) -> OscarFacade:
    return OscarFacade(
        database,
        utc_now,
        zone=ZoneInfo(settings.oscar.time_zone),
        media_url=settings.oscar.media_url,
    )


async def run_backfill(
    settings: CoreSettings, legacy_url: str, progress: Progress, *, page_size: int, restart: bool
) -> Report:
    """Migrate the core's database and copy an oscar shop's catalogue into it.

    Raises:
        AdapterError, CoreError: each says what to do about it.
    """
    engine = make_engine(settings.database, busy_timeout_s=settings.busy_timeout_s, pool_size=2)
    database = SqlDatabase(engine, make_reader(settings.database, pool_size=1))
    try:
        oscar = OscarDatabase(legacy_url)
        try:
            await upgrade(engine)
            backfill = Backfill(OscarSource(oscar), database, utc_now, progress, page_size)
            return await backfill.run(restart=restart)
        finally:
            await oscar.close()
    finally:
        await database.dispose()


def utc_now() -> datetime:
    """The clock that everything here is handed."""
    return datetime.now(tz=UTC)  # noqa: TID251 - this is the clock that is handed down
