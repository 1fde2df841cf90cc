"""Connections to PostgreSQL for capture, and what its errors mean to us."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from legacy_adapters.errors import AdapterError, SourceLost, SourceUnavailable, SourceUnfit

_CONNECT_S = 10.0
_COMMAND_S = 30.0
_NAME_LENGTH = 50

# Of what the server refuses, what stays refused until somebody changes something there.
_UNFIT = (
    "28",  # wrong password, no such user
    "3D",  # no such database
    "42",  # no right, no such table or column
    "0A",  # not supported
    "53400",  # all replication slots are taken
    "55000",  # wal_level
)


class PostgresLink:
    """Where a database is, and one session on it that is opened when needed.

    Calls of one session take turns.
    """

    def __init__(self, url: str) -> None:
        self.dsn = plain_url(url)
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncpg.Connection]:
        """A session in autocommit.

        Raises:
            SourceUnavailable, SourceUnfit, SourceLost: from the block too, as `translated` says.
        """
        async with self._turn:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await asyncpg.connect(
                        self.dsn,
                        timeout=_CONNECT_S,
                        command_timeout=_COMMAND_S,
                        server_settings={"application_name": "banyan capture"},
                    )
                yield self._connection
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as exc:
                raise translated(exc) from exc

    async def close(self) -> None:
        """Close the session."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()


def plain_url(text: str) -> str:
    """The URL without the name of a driver, as libpq takes it.

    Raises:
        SourceUnfit: it is none of PostgreSQL.
    """
    try:
        url = make_url(text)
    except ArgumentError as exc:
        raise SourceUnfit(f"{text!r} is no database URL, e.g. postgresql://host/shop") from exc
    if url.get_backend_name() != "postgresql":
        raise SourceUnfit(f"{url.get_backend_name()} is not PostgreSQL")
    query: Mapping[str, Any] = {
        "sslmode" if name == "ssl" else name: value for name, value in url.query.items()
    }
    plain = url.set(drivername="postgresql", query=query)
    return plain.render_as_string(hide_password=False)


def object_name(name: str, database: str) -> str:
    """Name of the slot and the publication of a stream: slots are the whole server's."""
    words = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:_NAME_LENGTH]
    return f"banyan_{words}_{zlib.crc32(f'{database}/{name}'.encode()):08x}"


def quoted(name: str) -> str:
    """An identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'


def translated(exc: Exception) -> AdapterError:
    """What an error of either driver means to the one who captures."""
    text = (str(exc).splitlines() or [type(exc).__name__])[0] or type(exc).__name__
    state = str(getattr(exc, "sqlstate", None) or getattr(exc, "pgcode", None) or "")
    if state == "55006":
        return SourceUnavailable(f"another reader is at it: {text}")
    if state == "58P01" or "requested WAL segment" in text or "can no longer" in text:
        return SourceLost(text)
    if state.startswith(_UNFIT):
        return SourceUnfit(text)
    return SourceUnavailable(text)
