"""Use cases of the audit: sealing entries into the chain, and asking whether it holds."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from new_core.domain.actor import system
from new_core.domain.audit import START, Break, Fault, Link, breaks, end_breaks
from new_core.domain.events import Event
from new_core.ports import Clock, Database, UnitOfWork
from new_core.ports.audit import AuditQuery

AT_A_TIME = 500
ANCHOR_EVERY = 1_000
"""Entries. Each time the chain passes a multiple, its head leaves the database as an event:
whoever could change all rows and the head cannot change what others have kept.
"""

CHAIN_ID = UUID("5f0c0a53-6b1e-5d36-9f4e-0b6a3a1f8d10")
_SEALER = system("audit-sealer")


async def seal_entries(database: Database, now: Clock) -> int:
    """Give committed entries their place; gives how many. Takes no write lock when there are
    none.
    """
    async with database.reading() as uow:
        if not await uow.audit.has_unsealed():
            return 0
    async with database.writing() as uow:
        start, end = await uow.audit.seal(AT_A_TIME)
        if end.seq // ANCHOR_EVERY > start.seq // ANCHOR_EVERY:
            data = {"seq": end.seq, "hash": end.hash}
            anchored = Event("audit.chain.anchored.v1", "audit_chain", CHAIN_ID, data)
            await uow.outbox.add([anchored], _SEALER, now())
        await uow.commit()
    return end.seq - start.seq


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a look at a part of the chain found.

    Attributes:
        last: the last entry looked at; where the next look goes on.
        checked: how many entries.
        unsealed: entries that have no place yet.
        is_end: whether there is nothing after `last`.
    """

    last: Link
    head: Link
    checked: int
    unsealed: int
    breaks: tuple[Break, ...]
    is_end: bool


async def verify_chain(
    uow: UnitOfWork, *, after: int, limit: int, known: str | None = None
) -> ChainReport:
    """Look at up to `limit` entries after a place, and at the head where they reach it.

    Args:
        uow: the read it happens in.
        after: where to begin; 0 is the beginning.
        limit: how many entries.
        known: the hash at `after` as the caller kept it, e.g. from an anchor; without it that
            entry is believed.
    """
    start, found = await _start(uow, after, known)
    entries = await uow.audit.page(AuditQuery(after, limit + 1))
    looked_at, is_end = entries[:limit], len(entries) <= limit
    found += breaks(start, looked_at)
    head = await uow.audit.head()
    last = looked_at[-1].link if looked_at else start
    if is_end:
        found += end_breaks(last, head)
    return ChainReport(last, head, len(looked_at), await uow.audit.unsealed(), tuple(found), is_end)


async def _start(uow: UnitOfWork, after: int, known: str | None) -> tuple[Link, list[Break]]:
    if after == 0:
        return START, []
    before = await uow.audit.page(AuditQuery(after - 1, 1))
    if not before or before[0].link.seq != after:
        return Link(after, known or ""), [Break(after, Fault.MISSING)]
    link = before[0].link
    if known is not None and link.hash != known:
        return link, [Break(after, Fault.CHANGED)]
    return link, []
