"""The audit's chain is right under many writers, and shows what anybody does to its rows."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from new_core.domain.actor import Actor, ActorKind
from new_core.domain.audit import Fault
from new_core.domain.events import AuditEntry
from new_core.ports import EventQuery
from new_core.ports.audit import AuditQuery
from new_core.service.audit import ANCHOR_EVERY, ChainReport, seal_entries, verify_chain
from new_core.service.outbox import number_events
from new_core.storage import SqlDatabase
from tests.support.core import SetClock

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

CLERK = Actor(ActorKind.STAFF, "clerk", request_id="req-1")
CLOCK = SetClock()
REASON = 'café \\ "x"'


async def put_down(core: SqlDatabase, *numbers: int) -> None:
    async with core.writing() as uow:
        entries = [
            AuditEntry("order.held", "order", str(n), {"held": False}, {"held": True}, REASON)
            for n in numbers
        ]
        await uow.audit.add(entries, CLERK, CLOCK() + timedelta(microseconds=numbers[0]))
        await uow.commit()


async def sealed(core: SqlDatabase, count: int) -> None:
    await put_down(core, *range(1, count + 1))
    assert await seal_entries(core, CLOCK) == count


async def look(core: SqlDatabase, after: int = 0, known: str | None = None) -> ChainReport:
    async with core.reading() as uow:
        return await verify_chain(uow, after=after, limit=1_000, known=known)


async def faults(core: SqlDatabase) -> list[tuple[int, Fault]]:
    return [(one.seq, one.fault) for one in (await look(core)).breaks]


async def tamper(core: SqlDatabase, *statements: str) -> None:
    async with core.writing() as uow:
        for one in statements:
            done = await uow.connection.execute(sa.text(one))
            assert done.rowcount >= 1
        await uow.commit()


async def test_what_was_put_down_is_found_in_the_chain_as_it_was(core: SqlDatabase) -> None:
    await put_down(core, 1)
    before = await look(core)
    await seal_entries(core, CLOCK)

    async with core.reading() as uow:
        (entry,) = await uow.audit.page(AuditQuery(0, 10, "order", "1"))
    assert (before.checked, before.unsealed) == (0, 1)
    assert entry.written.actor_id == "clerk"
    assert entry.written.request_id == "req-1"
    assert entry.written.after == '{"held":true}'
    assert entry.written.reason == REASON
    assert entry.written.at == CLOCK() + timedelta(microseconds=1)
    assert (await look(core)).breaks == ()


async def test_many_writers_and_many_sealers_make_one_chain(core: SqlDatabase) -> None:
    async def one(turn: int) -> None:
        await put_down(core, turn * 2, turn * 2 + 1)
        await seal_entries(core, CLOCK)

    await asyncio.gather(*(one(turn) for turn in range(25)))
    while await seal_entries(core, CLOCK):
        pass

    report = await look(core)
    assert (report.checked, report.unsealed, report.breaks) == (50, 0, ())
    assert report.last == report.head


async def test_a_writer_that_stays_open_does_not_hold_up_the_others(
    core_on_postgres: SqlDatabase,
) -> None:
    core = core_on_postgres
    async with core.writing() as slow:
        await slow.audit.add([AuditEntry("a", "order", "slow")], CLERK, CLOCK())
        await put_down(core, 1)
        assert await seal_entries(core, CLOCK) == 1
        await slow.commit()

    assert await seal_entries(core, CLOCK) == 1
    assert await faults(core) == []


@pytest.mark.parametrize(
    "change",
    [
        "reason = 'because'", "actor_id = 'nobody'", "after = '{}'", "before = NULL",
        "action = 'order.released'", "entity_id = '9'", "request_id = ''",
    ],
)  # fmt: skip
async def test_a_changed_row_shows(core: SqlDatabase, change: str) -> None:
    await sealed(core, 5)

    await tamper(core, f"UPDATE audit_entry SET {change} WHERE seq = 3")  # noqa: S608 - a test's own

    assert await faults(core) == [(3, Fault.CHANGED)]


async def test_a_deleted_row_shows(core: SqlDatabase) -> None:
    await sealed(core, 5)

    await tamper(core, "DELETE FROM audit_entry WHERE seq = 2")

    assert await faults(core) == [(2, Fault.MISSING)]


async def test_rows_that_changed_places_show(core: SqlDatabase) -> None:
    await sealed(core, 5)

    await tamper(
        core,
        "UPDATE audit_entry SET seq = 99 WHERE seq = 2",
        "UPDATE audit_entry SET seq = 2 WHERE seq = 4",
        "UPDATE audit_entry SET seq = 4 WHERE seq = 99",
    )

    assert {place for place, _ in await faults(core)} >= {2, 4}


async def test_rows_cut_off_at_the_end_show(core: SqlDatabase) -> None:
    await sealed(core, 5)

    await tamper(core, "DELETE FROM audit_entry WHERE seq > 3")

    assert await faults(core) == [(4, Fault.TRUNCATED)]


async def test_a_row_deleted_with_the_rest_renumbered_shows(core: SqlDatabase) -> None:
    await sealed(core, 4)

    await tamper(
        core,
        "DELETE FROM audit_entry WHERE seq = 2",
        "UPDATE audit_entry SET seq = 2 WHERE seq = 3",
        "UPDATE audit_entry SET seq = 3 WHERE seq = 4",
    )

    assert (2, Fault.CHANGED) in await faults(core)


async def test_a_chain_made_anew_with_its_head_does_not_fit_what_others_kept(
    core: SqlDatabase,
) -> None:
    await sealed(core, 3)
    kept = (await look(core)).head
    await tamper(
        core, "UPDATE audit_entry SET reason = 'forged', seq = NULL", "DELETE FROM audit_head"
    )
    await seal_entries(core, CLOCK)

    forged = await look(core)
    assert forged.breaks == ()
    compared = await look(core, after=kept.seq, known=kept.hash)
    assert [(one.seq, one.fault) for one in compared.breaks] == [(3, Fault.CHANGED)]


async def test_a_look_in_parts_sees_what_a_look_at_all_sees(core: SqlDatabase) -> None:
    await sealed(core, 7)
    await tamper(core, "UPDATE audit_entry SET reason = 'x' WHERE seq = 5")

    seen, after, looks = [], 0, 0
    while True:
        async with core.reading() as uow:
            report = await verify_chain(uow, after=after, limit=2)
        seen += [(one.seq, one.fault) for one in report.breaks]
        after, looks = report.last.seq, looks + 1
        if report.is_end:
            break

    assert seen == await faults(core) == [(5, Fault.CHANGED)]
    assert looks == 4


async def test_heads_leave_the_database_as_events(core: SqlDatabase) -> None:
    for first in range(0, ANCHOR_EVERY + 100, 100):
        await put_down(core, *range(first, first + 100))
        await seal_entries(core, CLOCK)
    await number_events(core)

    async with core.reading() as uow:
        (event,) = await uow.outbox.page(EventQuery(0, 10))
        at = await uow.audit.page(AuditQuery(ANCHOR_EVERY - 1, 1))
    assert event.event.type == "audit.chain.anchored.v1"
    assert event.event.data == {"seq": ANCHOR_EVERY, "hash": at[0].link.hash}
