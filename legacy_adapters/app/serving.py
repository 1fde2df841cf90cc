"""Wires the core with the facades of the legacy stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from legacy_adapters.app.clock import utc_now
from legacy_adapters.oscar.database import OscarDatabase
from legacy_adapters.oscar.facade import OscarFacade, ShopTerms, workers, writes
from legacy_adapters.oscar.source import OscarSource
from legacy_adapters.oscar.storage import upgrade_oscar
from legacy_adapters.oscar.surroundings import copy_surroundings
from legacy_adapters.ports import Progress
from legacy_adapters.service.backfill import Backfill
from legacy_adapters.service.report import Report
from legacy_adapters.settings import OscarSettings
from legacy_adapters.storage.marks_dry_run import say_dry_run
from new_core.api.checkout import terms_of
from new_core.api.house import House
from new_core.api.identity_desk import make_logins
from new_core.app import Facade, build_core
from new_core.settings import CoreSettings
from new_core.storage import SqlDatabase, make_engine, make_reader, upgrade

_OSCAR_AT = "/facade/oscar"


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
    return build_core(settings.core, facades=(_oscar(settings.oscar),), mark_dry_run=say_dry_run)


def _oscar(settings: OscarSettings) -> Facade:
    def make(house: House) -> tuple[ASGIApp, Sequence[BaseRoute]]:
        terms = ShopTerms(
            house=house,
            zone=ZoneInfo(settings.time_zone),
            media_url=settings.media_url,
            currency=settings.currency,
            checkout=terms_of(house.settings),
            logins=make_logins(house),
            secret_key=settings.secret_key.get_secret_value(),
        )
        return OscarFacade(terms), writes(_OSCAR_AT)

    return Facade(_OSCAR_AT, make, upgrade_oscar, workers)


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
            await upgrade_oscar(engine)
            backfill = Backfill(OscarSource(oscar), database, utc_now, progress, page_size)
            report = await backfill.run(restart=restart)
            await copy_surroundings(oscar, database, OscarSettings().currency, utc_now())
            return report
        finally:
            await oscar.close()
    finally:
        await database.dispose()
