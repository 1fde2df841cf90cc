"""What is done to a sync beside running it: install, remove, project, retry, look."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from legacy_adapters.app.clock import utc_now
from legacy_adapters.app.syncing import FORWARD, REVERSE, Sync
from legacy_adapters.errors import AdapterError
from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.landing import Step
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.documents import Kind
from legacy_adapters.ports.stage import Checkpoint
from legacy_adapters.ports.streams import Standing
from legacy_adapters.service.projecting import changed, project
from legacy_adapters.storage.stage_counters import raise_counters

_PAGE = 500


@dataclass(frozen=True, slots=True)
class StreamStanding:
    """How one stream stands; without a checkpoint it never ran."""

    stream: str
    checkpoint: Checkpoint | None
    domains: Sequence[Standing]


@dataclass(frozen=True, slots=True)
class Projection:
    """What came of projecting a kind.

    Attributes:
        touched: aggregates that are taken across anew.
        changed: documents that differ from the core's; a dry run counts them.
        unreadable: aggregates of which no document can be made; a dry run counts them.
    """

    kind: str
    touched: int = 0
    changed: int = 0
    unreadable: int = 0


async def install(sync: Sync) -> int:
    """Make all that both streams need, in both stores; the legacy owns every domain that has no
    owner yet. Repeatable. Returns how many of the legacy's counters were moved.
    """
    moved = await raise_counters(
        sync.legacy_url, [home.table for home in sync.legacy_homes.values()]
    )
    for side in Side:
        await sync.fences[side].install(sync.tables(side), Side.LEGACY)
    for side in Side:
        source, stream = sync.sources[side], stream_from(side)
        await source.prepare()
        await sync.books.declare(stream, await source.fingerprints())
        if await sync.books.checkpoint(stream) is None:
            # What was committed before here, the backfill brings.
            terms = {
                domain: (row.owner, row.term)
                for domain, row in (await sync.fences[side].rows()).items()
            }
            await sync.books.advance(
                Step(stream, None, await source.here(), terms, None), utc_now()
            )
    return moved


async def remove(sync: Sync) -> None:
    """Take away what `install` made; the stage and all that was carried stay."""
    for side in Side:
        await sync.sources[side].remove()
        await sync.fences[side].remove()
        await sync.books.forget(stream_from(side))


async def standings(sync: Sync) -> list[StreamStanding]:
    """How both streams stand."""
    names, found = [one.name for one in sync.domains], []
    for stream in (FORWARD, REVERSE):
        checkpoint = await sync.books.checkpoint(stream)
        terms = checkpoint.terms if checkpoint is not None else {}
        domains = await sync.books.standings(stream, names, terms)
        found.append(StreamStanding(stream, checkpoint, domains))
    return found


async def retry(sync: Sync, domain: str) -> int:
    """Try parked aggregates once more, of one domain or of all. Returns how many."""
    count = 0
    for stream in (FORWARD, REVERSE):
        for one in sync.domains:
            if domain in ("", one.name):
                while roused := await sync.books.rouse(
                    stream, one.name, utc_now(), _PAGE, everything=True
                ):
                    count += roused
    return count


async def resume(sync: Sync, name: str) -> str:
    """Accept an altered table, or set a failed stream going again. What was done, as a sentence.

    Raises:
        AdapterError: there is nothing of that name to resume.
    """
    for stream, homes in ((FORWARD, sync.legacy_homes), (REVERSE, sync.core_homes)):
        if name == stream:
            await sync.books.say(stream, "")
            return f"stream {stream} reads again when banyan sync runs"
        if name in homes and await sync.books.accept(stream, name):
            await retry(sync, homes[name].domain)
            return f"table {name} is taken as it is now; its parked aggregates are tried again"
    raise AdapterError(f"{name} is no altered table and no stream; see banyan sync status")


def chosen(sync: Sync, name: str) -> list[Kind[Any]]:
    """The kinds of a name of a kind or a domain.

    Raises:
        AdapterError: there is none of that name.
    """
    found = [kind for kind in sync.kinds if name in (kind.name, kind.domain)]
    if not found:
        known = ", ".join(dict.fromkeys([kind.domain for kind in sync.kinds]))
        raise AdapterError(f"{name} is no kind and no domain; domains are {known}")
    return found


async def project_kind(
    sync: Sync, kind: Kind[Any], told: Callable[[int], None], *, dry_run: bool
) -> Projection:
    """Take all aggregates of a kind across anew, from the owner's side, or count what that
    would change in the core. `told` hears how many were looked at since it was last called.
    """
    touched = different = unreadable = 0
    async for keys in _pages(sync, kind):
        if dry_run:
            async with sync.database.reading() as uow:
                staged = await sync.books.staged(uow, keys)
                root = kind.translation.shape.root.name
                there = [one for one in staged.values() if root in one.rows]
                projected, broken = await project(uow, sync.shop.system, kind, there)
                different += len(await changed(uow, kind, projected))
                unreadable += len(broken)
        else:
            touched += await sync.stage.touch(FORWARD, keys, "projected by hand")
        told(len(keys))
    if not dry_run and not touched:
        touched = await _project_back(sync, kind, told)
    return Projection(kind.name, touched, different, unreadable)


async def _pages(sync: Sync, kind: Kind[Any]) -> AsyncIterator[list[AggregateKey]]:
    after = ""
    while keys := await sync.stage.keys(kind.name, after, _PAGE):
        after = keys[-1]
        yield [AggregateKey(kind.name, key) for key in keys]


async def _project_back(sync: Sync, kind: Kind[Any], told: Callable[[int], None]) -> int:
    """The same from the core, where it owns the domain."""
    touched, after = 0, None
    while True:
        async with sync.database.reading() as uow:
            ids = await kind.documents.page(uow, after, _PAGE)
        if not ids:
            return touched
        after = ids[-1]
        keys = [AggregateKey(kind.name, str(uid)) for uid in ids]
        touched += await sync.stage.touch(REVERSE, keys, "projected by hand")
        told(len(keys))
