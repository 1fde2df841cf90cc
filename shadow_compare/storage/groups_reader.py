"""What readers ask of mismatch groups."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shadow_compare.core.evidence import Example, MismatchGroup
from shadow_compare.core.groups import (
    HOUR_S,
    HOURS,
    SLOT_S,
    GroupQuery,
    GroupSort,
    GroupStory,
    Kept,
    Sibling,
    by_hour,
    upper_ppm,
)
from shadow_compare.core.life import Life, State, as_of
from shadow_compare.core.stake import Stake
from shadow_compare.storage import group_tables, tables
from shadow_compare.storage.lives import entry_from, life_of
from shadow_compare.storage.packing import unpack

_SIBLINGS = 20
_NAMES_AT_ONCE = 10_000
_LIFE = ("state", "since_s", "changed_by", "owner", "note", "ticket", "expires")


async def find_groups(
    connection: AsyncConnection, query: GroupQuery, now_s: float
) -> tuple[MismatchGroup, ...]:
    """The groups that a query wants, in its order."""
    groups, domains = tables.groups.c, tables.domains.c
    wanted = _groups_query()
    if query.domain is not None:
        wanted = wanted.where(groups.domain == query.domain)
    if query.route is not None:
        wanted = wanted.where(groups.route == query.route)
    if query.since_s is not None:
        wanted = wanted.where(groups.last_seen_s >= query.since_s)
    if query.current_only:
        wanted = wanted.where(groups.epoch == domains.epoch)
    if query.states:
        wanted = wanted.where(_state_now(now_s).in_([state.value for state in query.states]))
    wanted, order = _sorted(wanted, query.sort, now_s)
    latest = (groups.last_seen_s.desc(), groups.fingerprint.desc())
    rows = (await connection.execute(wanted.order_by(*order, *latest).limit(query.limit))).all()
    return await _whole(connection, rows, now_s)


async def largest_groups(
    connection: AsyncConnection, domains: Sequence[str], most: int, now_s: float
) -> dict[str, tuple[MismatchGroup, ...]]:
    """By domain, the groups of its epoch with most mismatches, as `find_groups` sorts them."""
    groups = tables.groups.c
    wanted = _groups_query().where(
        groups.domain.in_(domains), groups.epoch == tables.domains.c.epoch
    )
    order = (groups.mismatches.desc(), groups.last_seen_s.desc(), groups.fingerprint.desc())
    place = sa.func.row_number().over(partition_by=groups.domain, order_by=order)
    placed = wanted.add_columns(place.label("place")).subquery()
    query = sa.select(placed).where(placed.c.place <= most)
    rows = (await connection.execute(query.order_by(placed.c.domain, placed.c.place))).all()
    found: dict[str, list[MismatchGroup]] = defaultdict(list)
    for group in await _whole(connection, rows, now_s):
        found[group.domain].append(group)
    return {domain: tuple(theirs) for domain, theirs in found.items()}


async def one_group(
    connection: AsyncConnection, fingerprint: str, now_s: float
) -> tuple[MismatchGroup, Sequence[Example]] | None:
    """The group that a prefix names, as it is in its newest epoch, with its examples."""
    groups, examples = tables.groups.c, tables.examples.c
    named = groups.fingerprint.startswith(whole_prefix(fingerprint), autoescape=True)
    query = _groups_query().where(named).order_by(groups.last_seen_s.desc())
    rows = (await connection.execute(query)).all()
    if len({row.fingerprint for row in rows}) != 1:
        return None
    row = next((row for row in rows if row.current), rows[0])
    [group] = await _whole(connection, [row], now_s)
    kept = await connection.execute(
        sa.select(examples.run, examples.seq, examples.exchange)
        .where(examples.fingerprint == group.fingerprint, examples.epoch == group.epoch)
        .order_by(examples.at_s.desc(), examples.run, examples.seq.desc())
    )
    # The first and the last exchange may also have been drawn: show each once.
    unique = {(row.run, row.seq): row.exchange for row in kept}
    return group, tuple(unpack(exchange) for exchange in unique.values())


def whole_prefix(fingerprint: str) -> str:
    """The beginning of a fingerprint with its version, which people may leave out."""
    return fingerprint if fingerprint.startswith("v1:") else f"v1:{fingerprint}"


async def story_of(connection: AsyncConnection, fingerprint: str, now_s: float) -> GroupStory:
    """A group's journal, newest first, and the groups that share a difference with it."""
    journal = group_tables.journal
    lines = await connection.execute(
        sa.select(journal).where(journal.c.fingerprint == fingerprint).order_by(journal.c.n.desc())
    )
    entries = tuple(entry_from(row) for row in lines)
    return GroupStory(entries, await _siblings(connection, fingerprint, now_s))


async def _siblings(
    connection: AsyncConnection, fingerprint: str, now_s: float
) -> tuple[Sibling, ...]:
    own, other = group_tables.signatures, group_tables.signatures.alias("other")
    shared = (
        sa.select(other.c.fingerprint, sa.func.count().label("shared"))
        .join_from(own, other, own.c.signature == other.c.signature)
        .where(own.c.fingerprint == fingerprint, other.c.fingerprint != fingerprint)
        .group_by(other.c.fingerprint)
        .subquery()
    )
    groups, domains = tables.groups, tables.domains
    query = (
        sa.select(groups, shared.c.shared, *_life_columns())
        .join_from(shared, groups, groups.c.fingerprint == shared.c.fingerprint)
        .join(
            domains,
            (domains.c.domain == groups.c.domain) & (domains.c.epoch == groups.c.epoch),
        )
        .join(
            group_tables.lives,
            group_tables.lives.c.fingerprint == groups.c.fingerprint,
            isouter=True,
        )
        .order_by(shared.c.shared.desc(), groups.c.mismatches.desc(), groups.c.fingerprint)
        .limit(_SIBLINGS)
    )
    return tuple(
        Sibling(
            row.fingerprint,
            row.title,
            row.route,
            row.mismatches,
            int(row.shared),
            _life(row, now_s).state,
        )
        for row in (await connection.execute(query)).all()
    )


async def examples_between(
    connection: AsyncConnection, domain: str | None, span: tuple[float, float], limit: int
) -> tuple[Kept, ...]:
    """Stored examples of a span of time, each once, oldest first; of too many the latest."""
    groups, examples = tables.groups.c, tables.examples.c
    same = (examples.fingerprint == groups.fingerprint) & (examples.epoch == groups.epoch)
    query = (
        sa.select(
            groups.fingerprint,
            groups.domain,
            groups.route,
            examples.run,
            examples.seq,
            examples.exchange,
        )
        .join_from(tables.examples, tables.groups, same)
        .where(examples.at_s >= span[0], examples.at_s < span[1])
        .order_by(examples.at_s.desc(), examples.run, examples.seq.desc())
        .limit(2 * limit)
    )
    if domain is not None:
        query = query.where(groups.domain == domain)
    rows = (await connection.execute(query)).all()
    unique = {(row.run, row.seq): row for row in rows}
    kept = list(unique.values())[:limit]
    return tuple(
        Kept(row.fingerprint, row.domain, row.route, unpack(row.exchange)) for row in reversed(kept)
    )


def _groups_query() -> sa.Select[Any]:
    """Every group with what its share, its currency and its state are told by."""
    groups, totals, domains = tables.groups, tables.totals, tables.domains
    lives = group_tables.lives
    compared = totals.c.matched + totals.c.accepted + totals.c.mismatched
    same_route = (
        (totals.c.domain == groups.c.domain)
        & (totals.c.epoch == groups.c.epoch)
        & (totals.c.route == groups.c.route)
    )
    return (
        sa.select(
            groups,
            compared.label("compared"),
            totals.c.asked_twice,
            (domains.c.epoch == groups.c.epoch).label("current"),
            *_life_columns(),
        )
        .join_from(groups, totals, same_route, isouter=True)
        .join(domains, domains.c.domain == groups.c.domain, isouter=True)
        .join(lives, lives.c.fingerprint == groups.c.fingerprint, isouter=True)
    )


def _life_columns() -> list[sa.ColumnElement[Any]]:
    return [group_tables.lives.c[name] for name in _LIFE]


def _state_now(now_s: float) -> sa.ColumnElement[str]:
    """A group's state; an acceptance that is over counts as triaged."""
    lives = group_tables.lives.c
    today = datetime.fromtimestamp(now_s, UTC).date()
    is_over = (lives.state == State.ACCEPTED.value) & (lives.expires < today)
    known = sa.func.coalesce(lives.state, State.NEW.value)
    return sa.case((is_over, State.TRIAGED.value), else_=known)


def _sorted(
    query: sa.Select[Any], sort: GroupSort, now_s: float
) -> tuple[sa.Select[Any], list[sa.ColumnElement[Any]]]:
    """The query with what it is sorted by, and the order."""
    groups = tables.groups.c
    match sort:
        case GroupSort.COUNT:
            return query, [groups.mismatches.desc()]
        case GroupSort.LAST:
            return query, []
        case GroupSort.FIRST:
            return query, [groups.first_seen_s.desc()]
        case GroupSort.RATE:
            recent = _recent(now_s)
            query = query.join(recent, recent.c.fingerprint == groups.fingerprint, isouter=True)
            rate = sa.func.coalesce(recent.c.recent, 0)
            return query, [rate.desc(), groups.mismatches.desc()]
        case GroupSort.VALUE:
            risk = _risk()
            same = (risk.c.fingerprint == groups.fingerprint) & (risk.c.epoch == groups.epoch)
            gap, affected = (sa.func.coalesce(risk.c[name], -1) for name in ("gap", "affected"))
            return query.join(risk, same, isouter=True), [gap.desc(), affected.desc()]


def _recent(now_s: float) -> sa.Subquery:
    hits = group_tables.hits.c
    from_s = (int(now_s) // SLOT_S + 1) * SLOT_S - HOUR_S
    return (
        sa.select(hits.fingerprint, sa.func.sum(hits.mismatches).label("recent"))
        .where(hits.at_s >= from_s)
        .group_by(hits.fingerprint)
        .subquery()
    )


def _risk() -> sa.Subquery:
    stakes = group_tables.stakes.c
    return (
        sa.select(
            stakes.fingerprint,
            stakes.epoch,
            sa.func.max(stakes.over_minor + stakes.under_minor).label("gap"),
            sa.func.max(stakes.affected_minor).label("affected"),
        )
        .group_by(stakes.fingerprint, stakes.epoch)
        .subquery()
    )


@dataclass(slots=True)
class _Aspects:
    """What stands of some groups in the other tables, by fingerprint or (that, epoch)."""

    noise: dict[tuple[str, str, str], int] = field(default_factory=dict)
    slots: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    cohorts: dict[tuple[str, str], list[tuple[str, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    stakes: dict[tuple[str, str], list[Stake]] = field(default_factory=lambda: defaultdict(list))
    releases: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))


async def _whole(
    connection: AsyncConnection, rows: Sequence[sa.Row[Any]], now_s: float
) -> tuple[MismatchGroup, ...]:
    if not rows:
        return ()
    aspects = await _aspects(connection, rows, now_s)
    return tuple(_group(row, aspects, now_s) for row in rows)


async def _aspects(
    connection: AsyncConnection, rows: Sequence[sa.Row[Any]], now_s: float
) -> _Aspects:
    names, epochs = {row.fingerprint for row in rows}, {row.epoch for row in rows}
    found = _Aspects()
    row: sa.Row[Any]
    noise = tables.noise.c
    moved = sa.select(noise.epoch, noise.route, noise.pattern, noise.differed)
    for row in await _of(connection, moved, noise.epoch, epochs):
        found.noise[row.epoch, row.route, row.pattern] = int(row.differed)
    hits = group_tables.hits.c
    since_s = int(now_s) - (HOURS + 1) * HOUR_S
    seen = sa.select(hits.fingerprint, hits.at_s, hits.mismatches).where(hits.at_s > since_s)
    for row in await _of(connection, seen, hits.fingerprint, names):
        found.slots[row.fingerprint].append((row.at_s, row.mismatches))
    cohorts = group_tables.cohorts
    by_cohort = sa.select(cohorts).order_by(cohorts.c.mismatches.desc(), cohorts.c.cohort)
    for row in await _of(connection, by_cohort, cohorts.c.fingerprint, names):
        found.cohorts[row.fingerprint, row.epoch].append((row.cohort, row.mismatches))
    stakes = group_tables.stakes
    for row in await _of(connection, sa.select(stakes), stakes.c.fingerprint, names):
        found.stakes[row.fingerprint, row.epoch].append(
            Stake(
                row.currency,
                row.affected_minor,
                row.over_minor,
                row.under_minor,
                row.exchanges,
                row.compared,
            )
        )
    groups = tables.groups.c
    released = sa.select(groups.fingerprint, groups.legacy_release, groups.core_release)
    released = released.order_by(groups.last_seen_s)
    for row in await _of(connection, released, groups.fingerprint, names):
        found.releases[row.fingerprint].append((row.legacy_release, row.core_release))
    return found


async def _of(
    connection: AsyncConnection,
    query: sa.Select[Any],
    column: sa.ColumnElement[str],
    names: Iterable[str],
) -> Sequence[sa.Row[Any]]:
    """The rows of these names; a statement cannot name more than some thirty thousand."""
    all_names, rows = sorted(names), []
    for start in range(0, len(all_names), _NAMES_AT_ONCE):
        some = column.in_(all_names[start : start + _NAMES_AT_ONCE])
        rows += (await connection.execute(query.where(some))).all()
    return rows


def _group(row: sa.Row[Any], aspects: _Aspects, now_s: float) -> MismatchGroup:
    patterns = tuple(json.loads(row.patterns))
    hourly = by_hour(aspects.slots.get(row.fingerprint, ()), now_s)
    own = (row.fingerprint, row.epoch)
    releases = aspects.releases[row.fingerprint]
    stakes = sorted(
        aspects.stakes.get(own, ()), key=lambda one: (-one.gap_minor, -one.affected_minor)
    )
    return MismatchGroup(
        fingerprint=row.fingerprint,
        domain=row.domain,
        route=row.route,
        title=row.title,
        patterns=patterns,
        count=row.mismatches,
        share_ppm=row.mismatches * 1_000_000 // row.compared if row.compared else 0,
        first_seen_s=row.first_seen_s,
        last_seen_s=row.last_seen_s,
        epoch=row.epoch,
        current=bool(row.current),
        noise_ppm=_noise_ppm(row, patterns, aspects.noise),
        upper_ppm=upper_ppm(row.mismatches, row.compared or 0),
        per_hour=hourly[-1],
        hourly=hourly,
        cohorts=tuple(aspects.cohorts.get(own, ())),
        first_releases=releases[0],
        last_releases=releases[-1],
        stakes=tuple(stakes),
        life=_life(row, now_s),
    )


def _noise_ppm(
    row: sa.Row[Any], patterns: Sequence[str], differed: Mapping[tuple[str, str, str], int]
) -> int | None:
    rarest = min((differed.get((row.epoch, row.route, at), 0) for at in patterns), default=0)
    return rarest * 1_000_000 // row.asked_twice if row.asked_twice else None


def _life(row: sa.Row[Any], now_s: float) -> Life:
    """A group that nothing was ever said of is a new one."""
    return Life(since_s=row.first_seen_s) if row.state is None else as_of(life_of(row), now_s)
