"""Builds a preflight."""

from __future__ import annotations

from collections.abc import Mapping

from legacy_adapters.oscar.database import reading_engine
from legacy_adapters.oscar.kinds import KINDS
from legacy_adapters.oscar.mapping.other_tables import OTHER_TABLES
from legacy_adapters.service.preflight import Preflight, preflight
from legacy_adapters.storage.cowrites import SqlCowrites
from legacy_adapters.storage.probes import SqlProbe
from new_core.settings import CoreSettings
from new_core.storage import SqlDatabase, make_engine, make_reader


async def run_preflight(
    settings: CoreSettings, legacy_url: str, ignored: Mapping[str, str], *, deep: bool
) -> Preflight:
    """Look at an oscar shop's database; nothing is changed.

    Args:
        settings: where the core is, whose streams may have watched the shop.
        legacy_url: the shop's database.
        ignored: tables that stay, with reasons, besides those that the adapter knows.
        deep: also read the rows of every table that moves.

    Raises:
        AdapterError: each says what to do about it.
    """
    engine = reading_engine(legacy_url)
    core = make_engine(settings.database, pool_size=1)
    database = SqlDatabase(core, make_reader(settings.database, pool_size=1))
    try:
        known = {**OTHER_TABLES, **ignored}
        return await preflight(SqlProbe(engine), KINDS, known, SqlCowrites(database), deep=deep)
    finally:
        await engine.dispose()
        await database.dispose()
