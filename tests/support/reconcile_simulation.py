"""Two sides with a stream between them, that move whenever somebody waits for them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

import msgspec

from legacy_adapters.mapping.versions import Side
from new_core.domain.identity import core_id
from shadow_compare.core.drift_class import Classifier, Clues, Money
from shadow_compare.core.reconcile_judge import OtherState, OwnerState, id_of_unnamed
from shadow_compare.errors import SidesUnavailable

KIND = "order"


class Doc(msgspec.Struct, frozen=True):
    """A little order."""

    id: UUID
    number: str
    total_minor: int
    note: str | None = None


def doc(key: str, total_minor: int = 1_000, note: str | None = None) -> Doc:
    return Doc(core_id("toy", KIND, key), f"N{key}", total_minor, note)


def money_of(document: Doc) -> Money | None:
    return document.total_minor, "EUR"


@dataclass
class Clock:
    """Seconds that pass by being asked for."""

    at_s: float = 1_000.0

    def __call__(self) -> float:
        self.at_s += 0.001
        return self.at_s

    async def sleep(self, seconds: float) -> None:
        self.at_s += seconds
        await asyncio.sleep(0)


@dataclass
class World:
    """The owner's store and its log, the stage, what waits, and the other side.

    Attributes:
        writes_left: changes that the owner's shoppers will still make.
        keys: that they choose from.
        busy: how much may happen at a time.
        lazy: aggregates that may wait before the applier begins.
        fails: calls after which a store is away once.
    """

    dice: random.Random
    keys: Sequence[str] = ()
    writes_left: int = 0
    busy: int = 5
    lazy: int = 0
    owner: dict[str, Doc] = field(default_factory=dict)
    other: dict[str, tuple[Doc, int]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    log: list[tuple[str, Doc | None]] = field(default_factory=list)
    read: int = 0
    stage: dict[str, Doc] = field(default_factory=dict)
    dirty: dict[str, int] = field(default_factory=dict)
    known_as: dict[str, str] = field(default_factory=dict)
    rogues: set[str] = field(default_factory=set)
    corrupt: set[str] = field(default_factory=set)
    parked: set[str] = field(default_factory=set)
    fails: list[int] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    calls: int = 0

    def start(self, docs: Mapping[str, Doc]) -> None:
        """Both sides hold the same, and nothing waits."""
        for key, one in docs.items():
            self.write(key, one)
        self.drain()

    def write(self, key: str, one: Doc | None) -> None:
        """The owner commits."""
        if one is None:
            self.owner.pop(key, None)
        else:
            self.owner[key] = one
        self.log.append((key, one))

    def stream(self) -> None:
        """One more transaction of the log is staged."""
        if self.read < len(self.log):
            key, one = self.log[self.read]
            self.read += 1
            if one is None:
                self.stage.pop(key, None)
            else:
                self.stage[key] = one
            self.dirty[key] = self.read

    def apply(self) -> None:
        """One dirty aggregate is written across, as it is staged now."""
        free = [key for key in self.dirty if key not in self.parked]
        if not free:
            return
        key = self.dice.choice(free)
        order = self.dirty.pop(key)
        self.versions[key] = max(order, self.versions.get(key, 0))
        if key in self.stage:
            self.other[key] = (self.stage[key], self.versions[key])
        else:
            self.other.pop(key, None)

    def drain(self) -> None:
        while self.read < len(self.log):
            self.stream()
        while any(key not in self.parked for key in self.dirty):
            self.apply()

    async def moves(self) -> None:
        """Anything may happen here, and a call may fail."""
        self.calls += 1
        await asyncio.sleep(0)
        if self.calls in self.fails:
            raise SidesUnavailable("away for a moment")
        for _ in range(self.dice.randrange(self.busy)):
            self._moves_once()

    def _moves_once(self) -> None:
        what = self.dice.randrange(8)
        if what <= 1 and self.writes_left and self.keys:
            self.writes_left -= 1
            key = self.dice.choice(self.keys)
            is_gone = self.dice.random() < 0.2
            self.write(key, None if is_gone else doc(key, self.dice.randrange(7)))
        elif what <= 4:
            self.stream()
        elif len(self.dirty) > self.lazy or not self.writes_left:
            self.apply()


class SimulatedView:
    """A snapshot whose place in the log is only known roughly."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._state = dict(world.owner)
        self._at = len(world.log)
        self.low = max(0, self._at - world.dice.randrange(3))

    async def high(self) -> int:
        await self._world.moves()
        return min(len(self._world.log), self._at + self._world.dice.randrange(3))

    async def page(
        self, kind: str, after: str | None, size: int, *, to: str | None = None
    ) -> Sequence[OwnerState]:
        assert kind == KIND
        await self._world.moves()
        keys = sorted(self._state.keys() | self._world.corrupt)
        return [
            self._of(key)
            for key in keys
            if (after is None or key > after) and (to is None or key <= to)
        ][:size]

    async def some(self, kind: str, keys: Collection[str]) -> Mapping[str, OwnerState]:
        assert kind == KIND
        await self._world.moves()
        return {key: self._of(key) for key in keys}

    async def present(self, kind: str, keys: Collection[str]) -> frozenset[str]:
        assert kind == KIND
        await self._world.moves()
        return frozenset(key for key in keys if key in self._state or key in self._world.corrupt)

    async def count(self, kind: str) -> int:
        assert kind == KIND
        return len(self._state)

    async def splits(self, kind: str, parts: int) -> Sequence[str]:
        assert kind == KIND
        keys = sorted(self._state)
        return [keys[len(keys) * n // parts] for n in range(1, parts)] if keys else []

    def _of(self, key: str) -> OwnerState:
        if key in self._world.corrupt:
            return OwnerState(key, None, None, "orders.total is no amount", 1)
        found = self._state.get(key)
        return OwnerState(key, core_id("toy", KIND, key), found, rows=1 if found else 0)


class SimulatedSides:
    """Implements ports.reconciling.ComparedSides over a World."""

    domain = "orders"
    owner = Side.LEGACY
    kinds = (KIND,)
    restless: frozenset[str] = frozenset()

    def __init__(self, world: World) -> None:
        self.world = world

    @asynccontextmanager
    async def view(self) -> AsyncIterator[SimulatedView]:
        await self.world.moves()
        yield SimulatedView(self.world)

    def classifier(self, kind: str) -> Classifier:
        assert kind == KIND
        return Classifier(self.owner, money_of)

    async def passed(self) -> int:
        await self.world.moves()
        return self.world.read

    async def through(self) -> int:
        read = await self.passed()
        return min([read, *(order - 1 for order in self.world.dirty.values())])

    async def waiting(self, kind: str, keys: Collection[str]) -> frozenset[str]:
        assert kind == KIND
        await self.world.moves()
        return frozenset(key for key in keys if key in self.world.dirty)

    async def other(self, kind: str, owner: Sequence[OwnerState]) -> Mapping[str, OtherState]:
        assert kind == KIND
        await self.world.moves()
        documents = {one.key: self.world.other.get(one.key) for one in owner}
        await self.world.moves()
        return {
            key: OtherState(None if found is None else found[0], self.world.versions.get(key, 0))
            for key, found in documents.items()
        }

    async def unstaged(self, kind: str, owner: Sequence[OwnerState]) -> frozenset[str]:
        assert kind == KIND
        await self.world.moves()
        return frozenset(one.key for one in owner if self.world.stage.get(one.key) != one.document)

    async def across(
        self, kind: str, after: str | None, size: int
    ) -> Sequence[tuple[str, str | None]]:
        assert kind == KIND
        await self.world.moves()
        keys = sorted(key for key in self.world.other if after is None or key > after)
        return [(key, key) for key in keys[:size]]

    async def changed(
        self, kind: str, behind: int, after: str | None, size: int
    ) -> Sequence[tuple[str, str]]:
        assert kind == KIND
        await self.world.moves()
        keys = sorted(
            key
            for key, order in self.world.versions.items()
            if order > behind and (after is None or key > after)
        )
        return [(key, key) for key in keys[:size]]

    async def clues(
        self, kind: str, pairs: Sequence[tuple[OwnerState, OtherState]]
    ) -> Mapping[str, Clues]:
        assert kind == KIND
        await self.world.moves()
        return {
            owner.key: Clues(
                staged=self.world.stage.get(owner.key) == owner.document,
                known_as=self.world.known_as.get(owner.key, owner.key),
                is_rogue=owner.key in self.world.rogues,
            )
            for owner, _ in pairs
        }

    async def take_across(self, kind: str, keys: Collection[str], reason: str) -> int:
        assert kind == KIND
        assert reason
        await self.world.moves()
        for key in keys:
            self.world.touched.append(key)
            if id_of_unnamed(key) is not None:
                continue
            if key in self.world.owner:
                self.world.stage[key] = self.world.owner[key]
            else:
                self.world.stage.pop(key, None)
            self.world.dirty[key] = self.world.versions.get(key, 0)
        return len(keys)


def as_other(world: World, key: str, one: Doc | None) -> None:
    """Damage the other side behind the stream's back."""
    if one is None:
        world.other.pop(key, None)
    else:
        world.other[key] = (one, world.versions.get(key, 0))


def changed(one: Doc, total_minor: int) -> Doc:
    return Doc(one.id, one.number, total_minor, one.note)


def moved(state: OwnerState, document: Doc | None) -> OwnerState:
    return replace(state, document=document)
