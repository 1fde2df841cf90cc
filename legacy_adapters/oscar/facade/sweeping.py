"""Forgets sessions that nobody came back to."""

from __future__ import annotations

from legacy_adapters.oscar.storage import SqlSessions
from new_core.api.house import House, Worker
from new_core.ports import Clock, Database

_EVERY_S = 600.0
_AT_ONCE = 500


def workers(house: House) -> tuple[Worker, ...]:
    """What the facade does beside the requests."""

    async def sweep() -> int:
        return await sweep_sessions(house.database, house.now)

    return (Worker("oscar-session-sweeper", sweep, _EVERY_S),)


async def sweep_sessions(database: Database, now: Clock) -> int:
    """Forget some sessions whose time is over, and give how many."""
    async with database.writing() as uow:
        gone = await SqlSessions(uow).sweep(now(), _AT_ONCE)
        await uow.commit()
    return gone
