"""The core's database for a test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI

from new_core.api.house import House
from new_core.api.observe import Metrics
from new_core.app import build_core
from new_core.ports import Clock, Database
from new_core.settings import CoreSettings
from new_core.storage import SqlDatabase, make_engine, make_reader, make_trier, upgrade
from new_core.storage.ids import new_id

BOTH = ("sqlite", "postgresql")


@contextlib.asynccontextmanager
async def core_database(url: str) -> AsyncIterator[SqlDatabase]:
    """The core's tables, as a process of the core has them."""
    engine = make_engine(url)
    await upgrade(engine)
    database = SqlDatabase(engine, make_reader(url), make_trier(url))
    try:
        yield database
    finally:
        await database.dispose()


@contextlib.asynccontextmanager
async def core_app(settings: CoreSettings) -> AsyncIterator[FastAPI]:
    """The core's application on tables that are there, without what runs beside requests."""
    app = build_core(settings)
    try:
        yield app
    finally:
        await app.state.house.database.dispose()


@dataclass
class SetClock:
    """A clock that stands until somebody moves it."""

    at: datetime = datetime(2026, 5, 4, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> None:
        """Move on, e.g. by seconds=30."""
        self.at += timedelta(**by)


def house_on(database: Database, clock: Clock, **settings: Any) -> House:
    """What routes and workers are built from, on a clock of the test."""
    return House(database, clock, new_id, CoreSettings(**settings), Metrics())
