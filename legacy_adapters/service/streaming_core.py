"""Whose a changed row of the core is. The core's rows are not staged: it is asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace

from legacy_adapters.mapping.aggregates import AggregateKey
from legacy_adapters.mapping.landing import Landing, Mark, Step
from legacy_adapters.mapping.membership import Home, Membership, RowName, Tie, cell_text
from legacy_adapters.ports.streams import Holders, Settling

_Seen = Mapping[RowName, list[Landing]]


@dataclass(frozen=True, slots=True)
class CoreMarks:
    """Turns changed rows of the core into the aggregates that they change.

    Attributes:
        every: all keys of a kind, for a table that was emptied as a whole.
    """

    homes: Membership
    source: Settling
    holders: Holders
    every: Callable[[str], Awaitable[Collection[str]]]

    async def __call__(self, step: Step) -> Step:
        """The step, with marks in the place of rows."""
        landings = [one for one in step.landings if one.is_dirtying or one.is_late]
        seen: dict[RowName, list[Landing]] = defaultdict(list)
        for one in step.landings:
            seen[one.table, one.key].append(one)
        owners = await self._owners({(one.table, one.key) for one in landings}, seen, landings)
        marks: dict[AggregateKey, Mark] = {}
        for one in landings:
            for key in owners[one.table, one.key]:
                aggregate = AggregateKey(self.homes[one.table].kind, key)
                is_late = not one.is_dirtying
                if aggregate in marks:
                    is_late = is_late and marks[aggregate].is_late
                marks[aggregate] = Mark(aggregate, one.version, one.name, is_late)
        for emptied in step.emptied:
            kind = self.homes[emptied.table].kind
            for key in await self.every(kind) if emptied.is_dirtying else ():
                aggregate = AggregateKey(kind, key)
                marks.setdefault(aggregate, Mark(aggregate, emptied.version, emptied.name))
        return replace(step, landings=(), emptied=(), marks=tuple(marks.values()))

    async def _owners(
        self, names: Collection[RowName], seen: _Seen, landings: Collection[Landing]
    ) -> Mapping[RowName, set[str]]:
        """Keys of the aggregates that rows are in, or were. A row goes up to its holder, and
        that one to its own, until one of them names the root.
        """
        owners: dict[RowName, set[str]] = {name: set() for name in names}
        above: dict[RowName, set[RowName]] = {name: {name} for name in names}
        has_waited = False
        while above:
            further: dict[RowName, set[RowName]] = defaultdict(set)
            asked: set[RowName] = set()
            for at, below in above.items():
                keys, holders, is_known = self._look(at, seen)
                for name in below:
                    owners[name] |= keys
                    for holder in holders:
                        further[holder].add(name)
                if not is_known:
                    asked.add(at)
            if asked and not has_waited:
                # The log tells of a commit before others see it.
                await self.source.settled({one.name for one in landings if one.name})
                has_waited = True
            for at, (keys, holders) in (await self._ask(asked)).items():
                for name in above[at]:
                    owners[name] |= keys
                    for holder in holders:
                        further[holder].add(name)
            above = further
        return owners

    def _look(self, at: RowName, seen: _Seen) -> tuple[set[str], set[RowName], bool]:
        """What the batch itself says: (roots' keys, holders, is that all)?"""
        home = self.homes[at[0]]
        if home.tie is Tie.ROOT:
            return {at[1]}, set(), True
        if home.tie is Tie.POINTED:
            return set(), self._pointing(home, at, seen), False
        links = {
            link
            for one in seen.get(at, ())
            for row in (one.before, one.row)
            if row is not None and (link := home.link(row)) is not None
        }
        return *self._up(home, links), bool(links)

    def _pointing(self, home: Home, at: RowName, seen: _Seen) -> set[RowName]:
        """Rows of the batch that point, or pointed, at this one."""
        return {
            name
            for name, landings in seen.items()
            if name[0] == home.holder
            for one in landings
            for row in (one.before, one.row)
            if row is not None and cell_text(row.get(home.by)) == at[1]
        }

    def _up(self, home: Home, links: set[str]) -> tuple[set[str], set[RowName]]:
        if home.tie is Tie.NAMED:
            return links, set()
        return set(), {(home.holder, link) for link in links}

    async def _ask(
        self, asked: Collection[RowName]
    ) -> Mapping[RowName, tuple[set[str], set[RowName]]]:
        """What the core says, one question for each table."""
        found: dict[RowName, tuple[set[str], set[RowName]]] = {}
        for table in sorted({name[0] for name in asked}):
            home, keys = self.homes[table], [key for name, key in asked if name == table]
            if home.tie is Tie.POINTED:
                holder = self.homes[home.holder].table
                naming = await self.holders.naming(holder, home.by, keys)
                for key in keys:
                    found[table, key] = set(), {(home.holder, k) for k in naming.get(key, ())}
            else:
                cells = await self.holders.column(home.table, home.by, keys)
                for key in keys:
                    link = cells.get(key)
                    found[table, key] = self._up(home, set() if link is None else {link})
        return found
