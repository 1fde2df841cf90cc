"""A preflight's look at a legacy database, whichever it is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.errors import SourceUnavailable
from legacy_adapters.mapping.rows import Table
from legacy_adapters.ports.probing import Probed
from legacy_adapters.storage.probe_mariadb import probe_mariadb
from legacy_adapters.storage.probe_postgresql import probe_postgresql
from legacy_adapters.storage.probe_sqlite import probe_sqlite

_PROBES: dict[str, Any] = {
    "sqlite": probe_sqlite,
    "postgresql": probe_postgresql,
    "mysql": probe_mariadb,
    "mariadb": probe_mariadb,
}


class SqlProbe:
    """Looks over an engine, which the caller disposes of."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def look(self, contents: Collection[Table]) -> Probed:
        try:
            async with self._engine.connect() as connection:
                probed: Probed = await _PROBES[self._engine.dialect.name](connection, contents)
                return probed
        except (SQLAlchemyError, OSError) as exc:
            line = (str(getattr(exc, "orig", None) or exc).splitlines() or [type(exc).__name__])[0]
            raise SourceUnavailable(f"the legacy database cannot be looked at: {line}") from exc
