"""A backfill by stamped chunks beside a running stream, tried at random.

The source is a log of whole rows or deletions. A commit may become visible to readers some
time after the log tells of it. Two write the target: the stream, in the log's order and with
repetitions, and the backfill, which reads a chunk, and delivers it later, maybe twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from random import Random

_KEYS = 4
_CHANGES = 60
_LATEST = 16
"""A commit is visible this many ticks after its event at the latest; a stamp is older."""

_OLD = 20
_TOO_LONG = 20_000


class Mutation(Enum):
    """What a chunk is stamped with, and what the target keeps."""

    NONE = "an old checkpoint of the stream's own, versions and tombstones"
    CHECKPOINT_NOW = "the checkpoint at the moment of the read"
    POSITION_NOW = "the source's position at the moment of the read"
    NO_TOMBSTONES = "a deletion leaves nothing behind"
    NO_VERSIONS = "whoever comes last wins"


@dataclass(frozen=True, slots=True)
class Event:
    """A row as it became; value None: deleted."""

    key: int
    value: int | None
    visible_at: int


@dataclass(slots=True)
class World:
    """One trial as it goes."""

    dice: Random
    mutation: Mutation
    clock: int = 0
    log: list[Event] = field(default_factory=list)
    checkpoint: int = _KEYS
    checkpoints: list[tuple[int, int]] = field(default_factory=list)
    target: dict[int, tuple[int | None, int]] = field(default_factory=dict)
    to_read: list[int] = field(default_factory=list)
    on_the_way: list[tuple[Event, int]] = field(default_factory=list)
    changes: int = 0


def diverges(seed: int, mutation: Mutation) -> bool:
    """Whether the target differs from the source when all has arrived."""
    world = World(Random(seed), mutation)
    world.log = [Event(key, key + 1, 0) for key in range(_KEYS)]
    world.checkpoints = [(0, world.checkpoint)]
    world.to_read = list(range(_KEYS)) * 4
    while not _is_done(world):
        world.clock += 1
        if world.clock > _TOO_LONG:
            raise AssertionError("the trial does not end")
        _tick(world)
    return any(
        _seen(world, key, at=world.clock + _LATEST) != world.target.get(key, (None, 0))[0]
        for key in range(_KEYS)
    )


def _is_done(world: World) -> bool:
    is_read = world.checkpoint == len(world.log)
    return world.changes == _CHANGES and is_read and not world.to_read and not world.on_the_way


def _tick(world: World) -> None:
    drawn = world.dice.random()
    if drawn < 0.35 and world.changes < _CHANGES:
        _change(world)
    elif drawn < 0.65 and world.checkpoint < len(world.log):
        _apply(world, world.checkpoint)
        world.checkpoint += 1
        world.checkpoints.append((world.clock, world.checkpoint))
    elif drawn < 0.70:
        for index in range(max(_KEYS, world.checkpoint - 3), world.checkpoint):
            _apply(world, index)
    elif drawn < 0.85 and world.to_read:
        _read_chunk(world)
    elif world.on_the_way:
        chunk = world.dice.choice(world.on_the_way)
        _put(world, *chunk)
        if world.dice.random() < 0.7:
            world.on_the_way.remove(chunk)


def _change(world: World) -> None:
    world.changes += 1
    key, delay = world.dice.randrange(_KEYS), world.dice.randrange(_LATEST)
    earlier = [event.visible_at for event in world.log if event.key == key]
    value = None if world.dice.random() < 0.25 else _KEYS + world.changes
    world.log.append(Event(key, value, max(world.clock + delay, *earlier)))


def _apply(world: World, index: int) -> None:
    _put(world, world.log[index], index + 1)


def _read_chunk(world: World) -> None:
    key = world.to_read.pop(0)
    value = _seen(world, key, at=world.clock)
    if value is not None:
        world.on_the_way.append((Event(key, value, 0), _stamp(world)))
    if world.dice.random() < 0.2:
        world.to_read.append(key)  # it crashed, and reads once more


def _seen(world: World, key: int, *, at: int) -> int | None:
    states = [event.value for event in world.log if event.key == key and event.visible_at <= at]
    return states[-1]


def _stamp(world: World) -> int:
    if world.mutation is Mutation.POSITION_NOW:
        return len(world.log)
    if world.mutation is Mutation.CHECKPOINT_NOW:
        return world.checkpoint
    old = [place for at, place in world.checkpoints if at <= world.clock - _OLD]
    return old[-1] if old else _KEYS


def _put(world: World, event: Event, stamp: int) -> None:
    known = world.target.get(event.key)
    if known is not None and known[1] >= stamp and world.mutation is not Mutation.NO_VERSIONS:
        return
    if event.value is None and world.mutation is Mutation.NO_TOMBSTONES:
        world.target.pop(event.key, None)
    else:
        world.target[event.key] = (event.value, stamp)
