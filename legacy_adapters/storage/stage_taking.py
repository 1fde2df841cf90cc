"""Takes rows into the stage and finds out whose they are, in whatever order they come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.landing import Emptied, Landing, Mark
from legacy_adapters.mapping.membership import Home, Membership, RowName, Tie
from legacy_adapters.mapping.rows import dump_row
from legacy_adapters.mapping.versions import NEVER
from legacy_adapters.storage.stage_rows import Claim, Entry, Held, StageRows

_BURIED_AT_ONCE = 5_000


@dataclass(slots=True)
class Taken:
    """What came of it: how many rows were new, and whose aggregates changed."""

    count: int = 0
    marks: dict[AggregateKey, Mark] = field(default_factory=dict)

    def mark(self, kind: str, keys: Collection[str | None], cause: Landing) -> None:
        for key in keys:
            if key is None:
                continue
            aggregate = AggregateKey(kind, key)
            new = Mark(aggregate, cause.version, cause.name, not cause.is_dirtying)
            known = self.marks.get(aggregate)
            if known is not None:
                last = known if known.version > new.version else new
                new = replace(last, is_late=known.is_late and new.is_late)
            self.marks[aggregate] = new


class Taking:
    """One delivery of rows, taken in the caller's transaction.

    Tables go one after the other, each after what its rows hang on. A row that gets another
    aggregate than it had passes that on to the rows that hang on it.
    """

    def __init__(self, rows: StageRows, homes: Membership) -> None:
        self._rows = rows
        self._homes = homes
        self._fresh: dict[RowName, Landing] = {}
        self._held: dict[RowName, Held] = {}
        self._links: dict[RowName, str | None] = {}
        self._keys: dict[RowName, str | None] = {}
        self._causes: dict[RowName, Landing] = {}
        self._claims: dict[RowName, set[RowName]] = defaultdict(set)
        self._taken = Taken()

    async def take(self, landings: Sequence[Landing]) -> Taken:
        """Stage what is newer than what is there. The last of several of one row counts."""
        floors = await self._rows.floors()
        last = _last([one for one in landings if one.version >= floors.get(one.table, NEVER)])
        self._held = await self._rows.held(list(last))
        self._fresh = {
            name: one
            for name, one in last.items()
            if name not in self._held or self._held[name].version < one.version
        }
        if not self._fresh:
            return self._taken
        self._taken.count = len(self._fresh)
        await self._point()
        await self._settle()
        await self._write()
        return self._taken

    async def _point(self) -> None:
        """Compare what the rows point at with what they pointed at."""
        pointing = [name for name in self._fresh if self._homes[name[0]].pointers]
        before = await self._rows.claimed_by(pointing)
        after = {
            (*pointed, *name)
            for name in pointing
            for pointed in self._homes[name[0]].points(self._fresh[name].row)
        }
        await self._rows.claim(after - before, before - after)
        touched = {(tbl, pk): (by, by_pk) for tbl, pk, by, by_pk in before ^ after}
        unknown = [name for name in touched if name not in self._held]
        self._held |= await self._rows.held(unknown)
        for name, by in touched.items():
            self._cause(name, self._fresh[by])

    async def _settle(self) -> None:
        """Give every row its aggregate, and pass on what changed."""
        for name, one in self._fresh.items():
            self._cause(name, one)
        for table in sorted(self._homes, key=lambda name: self._homes[name].depth):
            waiting = [name for name in self._causes if name[0] == table]
            if not waiting:
                continue
            home = self._homes[table]
            await self._find_keys(home, waiting)
            moved = [name for name in waiting if self._note(home, name)]
            await self._pass_on(home, moved)

    def _cause(self, name: RowName, cause: Landing) -> None:
        """A row that is there, or comes now, is to be looked at; the first cause is told."""
        if (name in self._fresh or name in self._held) and name not in self._causes:
            self._causes[name] = cause

    async def _find_keys(self, home: Home, names: Sequence[RowName]) -> None:
        for name in names:
            self._links[name] = self._link(home, name)
        if home.tie in (Tie.ROOT, Tie.NAMED):
            for name in names:
                known = self._known(name)
                self._keys[name] = known or home.own_key(name[1], self._links[name])
            return
        holders = await self._holders(home, names)
        wanted = {one for some in holders.values() for one in some if one not in self._keys}
        found = await self._rows.held([one for one in wanted if one not in self._held])
        self._held |= found
        for name in names:
            keys = [self._key(one) for one in sorted(holders[name])]
            of_holder = next((key for key in keys if key is not None), None)
            self._keys[name] = self._known(name) or of_holder

    def _link(self, home: Home, name: RowName) -> str | None:
        fresh = self._fresh.get(name)
        if fresh is not None and fresh.row is not None:
            return home.link(fresh.row)
        if name in self._held:
            return self._held[name].link
        return home.link(fresh.before) if fresh is not None and fresh.before is not None else None

    def _known(self, name: RowName) -> str | None:
        """A deleted row stays whose it was."""
        held = self._held.get(name)
        return held.key if held is not None and self._is_gone(name) else None

    def _is_gone(self, name: RowName) -> bool:
        if name in self._fresh:
            return self._fresh[name].row is None
        return name not in self._held or self._held[name].is_deleted

    async def _holders(
        self, home: Home, names: Sequence[RowName]
    ) -> Mapping[RowName, Collection[RowName]]:
        if home.tie is Tie.HUNG:
            return {
                name: [(home.holder, link)] if (link := self._links[name]) is not None else []
                for name in names
            }
        by: dict[RowName, list[RowName]] = {name: [] for name in names}
        for tbl, pk, by_tbl, by_pk in await self._rows.claims_on(names):
            by[tbl, pk].append((by_tbl, by_pk))
        return by

    def _key(self, name: RowName) -> str | None:
        """The aggregate that a holder gives to what hangs on it. A deleted one gives none: its
        rows may have gone with it unseen, as a cascade stands in no binary log.
        """
        if self._is_gone(name):
            return None
        if name in self._keys:
            return self._keys[name]
        held = self._held.get(name)
        return held.key if held is not None else None

    def _note(self, home: Home, name: RowName) -> bool:
        """Mark the aggregates that a row leaves and joins; whether what hangs on it moves too."""
        held, cause = self._held.get(name), self._causes[name]
        before = held.key if held is not None else None
        after = self._keys[name]
        counts = cause.is_dirtying or cause.is_late
        if counts and (before != after or name in self._fresh):
            self._taken.mark(home.kind, {before, after}, cause)
        was_gone = held is None or held.is_deleted
        return before != after or was_gone != self._is_gone(name)

    async def _pass_on(self, home: Home, moved: Sequence[RowName]) -> None:
        if not moved:
            return
        if home.hung:
            on = [(table, name[1]) for table in home.hung for name in moved]
            causes = {(table, name[1]): self._causes[name] for table in home.hung for name in moved}
            found = await self._rows.hanging(on)
            self._held |= {name: held for name, held in found.items() if name not in self._held}
            for name, held in found.items():
                self._cause(name, causes[name[0], held.link or ""])
        if home.pointers:
            claims: set[Claim] = await self._rows.claimed_by(moved)
            names = {(tbl, pk) for tbl, pk, _, _ in claims}
            self._held |= await self._rows.held([one for one in names if one not in self._held])
            for tbl, pk, by_tbl, by_pk in claims:
                self._cause((tbl, pk), self._causes[by_tbl, by_pk])

    async def _write(self) -> None:
        entries = [
            Entry(
                name,
                self._homes[name[0]].kind,
                self._keys[name],
                self._links[name],
                None if one.row is None else dump_row(one.row),
                one.version,
            )
            for name, one in sorted(self._fresh.items())
        ]
        await self._rows.put(entries)
        await self._rows.rekey(
            {
                name: self._keys[name]
                for name in self._causes
                if name not in self._fresh and self._keys[name] != self._held[name].key
            }
        )


async def bury_older(rows: StageRows, homes: Membership, gone: Emptied) -> Taken:
    """Make tombstones of a table's rows that are older than a version."""
    buried = Taken()
    while keys := await rows.older(gone.table, gone.version, _BURIED_AT_ONCE):
        landings = [
            Landing(gone.table, key, None, None, gone.version, gone.is_dirtying, gone.name)
            for key in keys
        ]
        taken = await Taking(rows, homes).take(landings)
        buried.count += taken.count
        buried.marks |= taken.marks
    return buried


def _last(landings: Sequence[Landing]) -> dict[RowName, Landing]:
    """One for each row: the newest, which dirties if any of them does."""
    last: dict[RowName, Landing] = {}
    for one in landings:
        name = (one.table, one.key)
        known = last.get(name)
        if known is None or known.version <= one.version:
            keep, other = one, known
        else:
            keep, other = known, one
        if other is not None and other.is_dirtying and not keep.is_dirtying:
            keep = replace(keep, is_dirtying=True, name=other.name)
        if other is not None and other.is_late:
            keep = replace(keep, is_late=True)
        last[name] = keep
    return last
