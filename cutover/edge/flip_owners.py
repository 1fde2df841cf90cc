"""Who owns what, asked of the core's database in a few milliseconds.

By the drivers themselves: `banyan rollback` has a second, and SQLAlchemy takes half of it to load.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cutover.core.flip_owners import Owners, Ownership
from cutover.errors import CannotRead
from legacy_adapters.mapping.aggregates import SyncDomain
from legacy_adapters.mapping.versions import Side

_ASKED = "SELECT domain, owner, phase FROM mig_domain"
_WAIT_S = 1.0

Rows = Iterable[tuple[str, str, str]]


def read_owners(environment: Mapping[str, str], domains: Iterable[SyncDomain]) -> Owners:
    """Owners by routing domain; none where no data is synced.

    Raises:
        CannotRead: data may be synced, but the core's database does not say.
    """
    url = environment.get("BANYAN_CORE_DATABASE", "")
    if not url or not environment.get("BANYAN_LEGACY_DATABASE"):
        return {}
    scheme = urlsplit(url).scheme.partition("+")[0]
    rows = _of_sqlite(url) if scheme == "sqlite" else asyncio.run(_of_postgresql(url))
    routes = {domain.name: domain.routes for domain in domains}
    return {
        route: Ownership(name, Side(owner), is_flipping=phase != "owned")
        for name, owner, phase in rows
        for route in routes.get(name, ())
    }


def _of_sqlite(url: str) -> Rows:
    path = Path(unquote(url.partition(":///")[2].partition("?")[0]))
    if not path.is_file():
        return ()
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_WAIT_S)
        ) as connection:
            return [(str(a), str(b), str(c)) for a, b, c in connection.execute(_ASKED)]
    except sqlite3.Error as exc:
        if "no such table" in str(exc):
            return ()
        raise CannotRead(f"who owns the data is not known: {exc}") from exc


async def _of_postgresql(url: str) -> Rows:
    import asyncpg  # noqa: PLC0415 - only who has such a database pays for it

    scheme, _, rest = url.partition("://")
    plain = f"{scheme.partition('+')[0]}://{rest}"
    try:
        async with asyncio.timeout(_WAIT_S):
            connection = await asyncpg.connect(plain)
            try:
                return [tuple(row) for row in await connection.fetch(_ASKED)]
            finally:
                await connection.close()
    except asyncpg.UndefinedTableError:
        return ()
    except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as exc:
        problem = str(exc) or type(exc).__name__
        raise CannotRead(f"who owns the data is not known: {problem}") from exc
