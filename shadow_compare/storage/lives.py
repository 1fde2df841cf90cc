"""The lives of groups as rows: read, moved, and written down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shadow_compare.core.life import (
    Act,
    Entry,
    Life,
    State,
    as_of,
    entry_of,
    moved,
    quiet_after,
)
from shadow_compare.core.text import short
from shadow_compare.storage import group_tables
from shadow_compare.storage.upsert import put_new

JOURNAL_LIMIT = 100
_AT_ONCE = 1_000


def life_of(row: sa.Row[Any]) -> Life:
    """The life that a row of `group_lives` holds."""
    return Life(
        State(row.state),
        row.since_s,
        row.changed_by,
        row.owner,
        row.note,
        row.ticket,
        row.expires,
    )


def entry_from(row: sa.Row[Any]) -> Entry:
    """The line that a row of `group_journal` holds."""
    return Entry(
        row.at_s,
        row.changed_by,
        Act(row.act),
        State(row.before),
        State(row.after),
        row.owner,
        row.note,
        row.ticket,
        row.expires,
    )


async def locked(
    connection: AsyncConnection, fingerprints: Iterable[str]
) -> dict[str, sa.Row[Any]]:
    """The rows of these groups, which nobody else may change before the transaction ends.

    A person accepts a group while the comparer finds that it came again: whoever comes
    second sees what the first one wrote. SQLite has locked the whole file already.
    """
    lives = group_tables.lives
    query = (
        sa.select(lives)
        .where(lives.c.fingerprint.in_(sorted(fingerprints)))
        .order_by(lives.c.fingerprint)
        .with_for_update()
    )
    return {row.fingerprint: row for row in (await connection.execute(query)).all()}


async def move(
    connection: AsyncConnection, fingerprint: str, before: Life, move_to: Life, act: Act
) -> None:
    """Write a move and its line of the journal."""
    lives, journal = group_tables.lives.c, group_tables.journal.c
    said = {
        "changed_by": short(move_to.by, 600),
        "owner": short(move_to.owner, 600),
        "note": short(move_to.note, 2_000),
        "ticket": short(move_to.ticket, 600),
        "expires": move_to.expires,
    }
    await connection.execute(
        sa.update(group_tables.lives)
        .where(lives.fingerprint == fingerprint)
        .values(state=move_to.state.value, since_s=move_to.since_s, **said)
    )
    last = sa.select(sa.func.max(journal.n)).where(journal.fingerprint == fingerprint)
    n = ((await connection.execute(last)).scalar() or 0) + 1
    entry = entry_of(before, move_to, act)
    line = {
        "fingerprint": fingerprint,
        "n": n,
        "at_s": entry.at_s,
        "act": entry.act.value,
        "before": entry.before.value,
        "after": entry.after.value,
        **said,
    }
    await connection.execute(sa.insert(group_tables.journal), [line])
    old = (journal.fingerprint == fingerprint) & (journal.n <= n - JOURNAL_LIMIT)
    await connection.execute(sa.delete(group_tables.journal).where(old))


async def make(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Let groups begin as new ones; those that have a life already keep it."""
    blank = {"changed_by": "", "owner": "", "note": "", "ticket": "", "expires": None}
    await put_new(connection, group_tables.lives, [{**blank, **row} for row in rows])


async def sweep(connection: AsyncConnection, now_s: float) -> None:
    """Close the groups that fell quiet, and end the acceptances whose last day is over."""
    compared = await _due(connection, now_s)
    for fingerprint, row in (await locked(connection, compared)).items():
        life = life_of(row)
        after = as_of(life, now_s)
        if after is not life:
            await move(connection, fingerprint, life, after, Act.EXPIRE)
            continue
        note = _quiet_note(row, compared[fingerprint])
        closed = moved(life, Act.QUIET, note, now_s) if note else life
        if closed is not life:
            await move(connection, fingerprint, life, closed, Act.QUIET)


async def _due(connection: AsyncConnection, now_s: float) -> dict[str, int]:
    """Groups that may have to be moved, to the present exposures of their routes.

    The database leaves out most: `quiet_after` is never less than 29.9 x seen_in / hits.
    """
    lives, exposures = group_tables.lives, group_tables.exposures
    quiet = exposures.c.compared - lives.c.compared_last
    seen_in = lives.c.compared_last - lives.c.compared_from
    is_quiet = (lives.c.hits > 0) & (quiet * 1.0 * lives.c.hits >= 29.9 * seen_in)
    open_states = (State.NEW.value, State.TRIAGED.value, State.REGRESSED.value)
    today = datetime.fromtimestamp(now_s, UTC).date()
    is_over = (lives.c.state == State.ACCEPTED.value) & (lives.c.expires < today)
    same = (exposures.c.domain == lives.c.domain) & (exposures.c.route == lives.c.route)
    query = (
        sa.select(lives.c.fingerprint, exposures.c.compared)
        .join_from(lives, exposures, same, isouter=True)
        .where((lives.c.state.in_(open_states) & is_quiet) | is_over)
        .limit(_AT_ONCE)
    )
    rows = (await connection.execute(query)).all()
    return {row.fingerprint: row.compared or 0 for row in rows}


def _quiet_note(row: sa.Row[Any], compared: int) -> str:
    """Why a group is closed; "" while it is not."""
    seen_in = row.compared_last - row.compared_from
    if not 1 <= row.hits <= seen_in:
        return ""
    needed = quiet_after(row.hits, seen_in)
    quiet = compared - row.compared_last
    if quiet < needed:
        return ""
    return (
        f"not seen in {quiet:,} comparisons of {row.route}, after {row.hits:,} in {seen_in:,}:"
        " its rate fell to less than a tenth (95 % sure)"
    )
