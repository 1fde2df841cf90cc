"""Fences by URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from legacy_adapters.mapping.versions import Side
from legacy_adapters.storage.fences_gate import Gatekeeper, SqlFences
from legacy_adapters.storage.fences_mariadb import MariadbGatekeeper
from legacy_adapters.storage.fences_postgresql import PostgresqlGatekeeper
from legacy_adapters.storage.fences_sqlite import SqliteGatekeeper
from legacy_adapters.storage.opening import MARIADB, POSTGRESQL, SQLITE, open_engine

_KEEPERS: Mapping[str, Callable[[Side], Gatekeeper]] = {
    SQLITE: SqliteGatekeeper,
    POSTGRESQL: PostgresqlGatekeeper,
    MARIADB: MariadbGatekeeper,
}


def open_fences(url: str, side: Side) -> SqlFences:
    """Fences of the database that is this side's store. The caller closes them.

    Raises:
        SourceUnavailable, SourceUnfit: see `open_engine`.
    """
    engine = open_engine(url)
    return SqlFences(engine, side, _KEEPERS[engine.dialect.name](side))
