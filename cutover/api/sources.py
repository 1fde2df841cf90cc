"""Opens all that the room and its report read."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from cutover.api.dataasks import ROUTES, open_data
from cutover.api.datagather import DataGatherer
from cutover.api.files import (
    courses_asker,
    history_asker,
    ledger_asker,
    revision_asker,
    table_asker,
    watched_asker,
)
from cutover.api.gather import Asks, Gatherer
from cutover.api.readings import History
from cutover.api.sidedoor import SideDoor, probe_store
from cutover.settings import COURSE_FILE, WATCH_FILE
from shadow_compare.app import open_evidence

_CONNECT_S, _ANSWER_S = 0.5, 1.0

clock_s = time.time  # noqa: TID251 - the edge's clock


@dataclass(frozen=True, slots=True)
class Places:
    """Where the sources are.

    Attributes:
        config: the table in force.
        database: async SQLAlchemy URL of the evidence.
        side_door: URL of the proxy's side door.
        revisions: folder of the ledger.
        core: URL of the core's database; "" where there is none.
        order_routes: names of the routes that place orders.
    """

    config: Path
    database: str
    side_door: str
    revisions: Path
    core: str = ""
    order_routes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sources:
    """What asks them. `data` is None where there is no core's database.

    Attributes:
        history: asks for the whole ledger; whoever asks through it reads no file twice.
    """

    gatherer: Gatherer
    history: Callable[[], Awaitable[History]]
    data: DataGatherer | None
    door: SideDoor


@asynccontextmanager
async def open_sources(places: Places) -> AsyncIterator[Sources]:
    """Real sources, which are closed when the block ends.

    Raises:
        EvidenceUnavailable: the database URL names no supported database.
        InvalidValue: the core's does not.
    """
    timeout = aiohttp.ClientTimeout(total=_ANSWER_S, connect=_CONNECT_S)
    async with (
        open_evidence(places.database) as evidence,
        open_data(places.core, places.database) as data,
        aiohttp.ClientSession(timeout=timeout) as session,
    ):
        door = SideDoor(session, places.side_door, places.order_routes)
        history = history_asker(places.revisions)
        asks = Asks(
            table=table_asker(places.config),
            proxy=door.state,
            probe=lambda store: probe_store(session, store),
            revisions=ledger_asker(places.revisions),
            evidence=evidence,
            history=history,
            courses=courses_asker(places.revisions.parent / COURSE_FILE),
            watched=watched_asker(places.revisions.parent / WATCH_FILE, clock_s),
            revision=revision_asker(places.revisions),
        )
        gatherer = Gatherer(asks, clock_s, order_routes=places.order_routes)
        yield Sources(
            gatherer,
            history,
            None if data is None else DataGatherer(data, gatherer, ROUTES, clock_s),
            door,
        )
