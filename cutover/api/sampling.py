"""While the room is up, it sees again and again who still uses what the core owns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from cutover.api.dataasks import ROUTES
from cutover.api.gather import SourceAway
from cutover.api.readings import ProxyState
from cutover.service.retirement_sampling import Answered, Sampler
from legacy_adapters.errors import AdapterError
from legacy_adapters.mapping.membership import membership
from legacy_adapters.oscar.kinds import KINDS
from legacy_adapters.storage.opening import open_engine
from legacy_adapters.storage.overlook import SqlOverlook
from legacy_adapters.storage.retirement import SqlRetirement
from legacy_adapters.storage.retirement_reads import read_counters, replicator_writes
from new_core.errors import StoreUnavailable
from new_core.storage import make_engine
from new_core.storage.engine import database_url
from shadow_compare.storage.engine import sqlite_file

EVERY_S = 60.0
_DEADLINE_S = 30.0
_LOG = logging.getLogger(__name__)


def tables_of() -> dict[str, tuple[str, ...]]:
    """The legacy's tables by domain of data."""
    found: dict[str, tuple[str, ...]] = {}
    for name, home in membership((one.translation.shape, one.domain) for one in KINDS).items():
        found[home.domain] = (*found.get(home.domain, ()), name)
    return found


@asynccontextmanager
async def open_sampler(
    core: str, legacy: str, answered: Callable[[], Awaitable[Answered | None]]
) -> AsyncIterator[Sampler]:
    """What looks, until the block ends. Connections are made when first used.

    Raises:
        AdapterError: no usable URL of the legacy's database.
        InvalidValue: none of the core's.
    """
    store = open_engine(legacy)
    engine = make_engine(core, pool_size=1)
    try:
        yield Sampler(
            overlook=SqlOverlook(engine),
            kept=SqlRetirement(engine),
            answered=answered,
            reads=partial(read_counters, store),
            writes=partial(replicator_writes, store),
            routes=ROUTES,
            tables=tables_of(),
            now=lambda: datetime.now(UTC),  # noqa: TID251 - the edge's clock
        )
    finally:
        await engine.dispose()
        await store.dispose()


@asynccontextmanager
async def sampling(
    core: str, legacy: str, state: Callable[[], Awaitable[ProxyState]]
) -> AsyncIterator[None]:
    """Look once a minute until the block ends; nothing of it reaches a page."""
    if not core or not legacy:
        yield
        return

    async def answered() -> Answered | None:
        try:
            seen = await state()
        except SourceAway:
            return None
        return seen.answered, seen.unmatched

    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(_look(core, legacy, answered))
        try:
            yield
        finally:
            looking.cancel()


async def _look(core: str, legacy: str, answered: Callable[[], Awaitable[Answered | None]]) -> None:
    file = sqlite_file(database_url(core))
    told = ""
    while True:
        try:
            # SQLite would make an empty file where there is none.
            if file is None or file.is_file():
                async with (
                    asyncio.timeout(_DEADLINE_S),
                    open_sampler(core, legacy, answered) as sampler,
                ):
                    await sampler.sample()
            told = ""
        except (AdapterError, StoreUnavailable, TimeoutError, OSError) as exc:
            if str(exc) != told:
                _LOG.warning("no sample for retirements was taken: %s", exc)
            told = str(exc)
        await asyncio.sleep(EVERY_S)
