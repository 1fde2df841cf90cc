"""One domain, two stores, two routers, open transactions, both streams, flips there and back.

A write is a number. A store holds a set of writes and one register with the newest of them,
which stands for a row that every write changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from functools import partial
from typing import NamedTuple, TypeVar

from tests.models.search import Found, explore

T = TypeVar("T")
Version = tuple[int, int]
Logged = tuple[int, Version, str]
"""A write, its version, and who made it: "app" or "stream"."""

_LEGACY, _CORE = 0, 1
_SIDES = ("legacy", "core")
_LOOPED = 9
"""More log than all writes can make without an echo."""


class Mutation(Enum):
    """A protocol with one thought left out; some broke real migrations."""

    NONE = "none"
    MARK_BEFORE_DRAIN = "M1: the position is taken before open transactions ended"
    NO_DRAIN = "M1b: the fence does not wait for open transactions"
    LATE_REVERSE = "M2: the way back is armed after the new owner may write"
    NO_FENCE = "M3: only the routers switch"
    ECHO = "M4: the streams carry their own writes, and compare no versions"
    EARLY_GRANT = "M5: the new owner may write before it has everything"
    ZOMBIE = "M6: a coordinator of an older term is not refused"
    CHECKPOINT_FIRST = "M7: the checkpoint is saved before what it speaks of"
    BUS_LOSS = "M8: the log is let go when a bus has the event, and the bus loses it"


class State(NamedTuple):
    """Everything. What belongs to a side stands in a pair: legacy, core.

    Attributes:
        step: of the coordinator.
        source: the owner when the flip began.
        gates: whether the application may write.
        routes: where each of the two routers sends writes.
        open: transactions that have begun: (write, side).
        acked: writes that were confirmed, in their order.
        torn: a checkpoint that was saved without its write.
        terms: the term that versions of a side's writes carry.
    """

    owner: int = _LEGACY
    step: str = "idle"
    source: int = _LEGACY
    flips: int = 0
    mark: int = -1
    term: int = 1
    gates: tuple[bool, bool] = (True, False)
    routes: tuple[int, int] = (_LEGACY, _LEGACY)
    open: frozenset[tuple[int, int]] = frozenset()
    acked: tuple[int, ...] = ()
    held: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
    registers: tuple[tuple[Version, int], tuple[Version, int]] = (((0, 0), 0), ((0, 0), 0))
    logs: tuple[tuple[Logged, ...], tuple[Logged, ...]] = ((), ())
    read: tuple[int, int] = (0, 0)
    torn: tuple[tuple[int, Version] | None, tuple[int, Version] | None] = (None, None)
    terms: tuple[int, int] = (1, 0)
    is_reverse_armed: bool = True
    zombies: int = 0
    writes: int = 0


Move = tuple[str, State]


def check(mutation: Mutation = Mutation.NONE, *, writes: int, flips: int) -> Found[State]:
    """I1 to I5 in every state."""
    start = State(is_reverse_armed=mutation is not Mutation.LATE_REVERSE)
    moves = partial(_moves, mutation=mutation, writes=writes, flips=flips)
    return explore(start, moves, broken)


def broken(state: State) -> str | None:
    """Which invariant does not hold."""
    if all(state.gates):
        return "I1: two writers"
    if any(len(log) > _LOOPED for log in state.logs):
        return "I4: an echo"
    acked = set(state.acked)
    owner = state.owner
    if state.gates[owner] and state.step in ("idle", "arm") and not acked <= state.held[owner]:
        return "I5: the owner writes and lacks a confirmed write"
    return _broken_at_rest(state, acked) if _is_quiet(state) else None


def _broken_at_rest(state: State, acked: set[int]) -> str | None:
    if not acked <= state.held[state.owner]:
        return "I2: the owner lacks a confirmed write"
    if not state.is_reverse_armed:
        return None
    if not acked <= state.held[1 - state.owner]:
        return "I2b: the way back lacks a confirmed write"
    if acked and {value for _version, value in state.registers} != {state.acked[-1]}:
        return "I3: the sides differ, or are stale"
    return None


def _is_quiet(state: State) -> bool:
    is_read = [len(log) == read for log, read in zip(state.logs, state.read, strict=True)]
    all_read = is_read[_LEGACY] and (is_read[_CORE] or not state.is_reverse_armed)
    return state.step == "idle" and not state.open and state.torn == (None, None) and all_read


def _moves(state: State, *, mutation: Mutation, writes: int, flips: int) -> Iterator[Move]:
    yield from _applications(state, writes)
    for side in (_LEGACY, _CORE):
        if side == _LEGACY or state.is_reverse_armed:
            yield from _stream(state, side, mutation)
    yield from _coordinator(state, mutation, flips)


def _applications(state: State, writes: int) -> Iterator[Move]:
    for router, side in enumerate(state.routes):
        if state.writes < writes and state.gates[side]:
            number = state.writes + 1
            begun = state._replace(writes=number, open=state.open | {(number, side)})
            yield f"write {number} begins at {_SIDES[side]} by router {router}", begun
        if side != state.owner:
            learnt = state._replace(routes=_put(state.routes, router, state.owner))
            yield f"router {router} learns the owner", learnt
    for number, side in state.open:
        version = (state.terms[side], len(state.logs[side]) + 1)
        done = _writes(state, side, (number, version, "app"), keeps=True)
        acked = done._replace(open=state.open - {(number, side)}, acked=(*state.acked, number))
        yield f"write {number} commits at {_SIDES[side]}", acked


def _stream(state: State, side: int, mutation: Mutation) -> Iterator[Move]:
    """Reads one side's log and writes the other side."""
    torn, other = state.torn[side], 1 - side
    if torn is not None:
        whole = state._replace(torn=_put(state.torn, side, None))
        is_newer = torn[1] > state.registers[other][0]
        yield (
            "applied behind its checkpoint",
            _writes(whole, other, (*torn, "stream"), keeps=is_newer),
        )
        yield "the applier crashes", whole
        return
    if state.read[side] == len(state.logs[side]):
        return
    number, version, maker = state.logs[side][state.read[side]]
    past = state._replace(read=_put(state.read, side, state.read[side] + 1))
    if maker == "stream" and mutation is not Mutation.ECHO:
        yield "its own write is passed over", past
        return
    if mutation is Mutation.BUS_LOSS:
        yield "the bus loses an event", past
    if mutation is Mutation.CHECKPOINT_FIRST:
        yield "checkpoint", past._replace(torn=_put(state.torn, side, (number, version)))
        return
    is_blind = mutation in (Mutation.ECHO, Mutation.EARLY_GRANT)
    if number in state.held[other] and not is_blind:
        yield "known already", past
        return
    is_newer = version > state.registers[other][0] or is_blind
    name = f"write {number} is applied at {_SIDES[other]}"
    yield name, _writes(past, other, (number, version, "stream"), keeps=is_newer)


def _coordinator(state: State, mutation: Mutation, flips: int) -> Iterator[Move]:
    first = "mark" if mutation is Mutation.MARK_BEFORE_DRAIN else "fence"
    if state.step == "idle":
        begun = state._replace(step=first, source=state.owner, flips=state.flips + 1)
        if state.flips < flips:
            yield "a flip starts", begun
            if mutation is Mutation.ZOMBIE and state.zombies == 0:
                yield "a flip starts whose coordinator falls asleep", begun._replace(zombies=1)
        if state.zombies == 1 and state.owner == _CORE:
            opened = state._replace(gates=_put(state.gates, _LEGACY, value=True), zombies=2)
            yield "the sleeper wakes up and opens legacy", opened
    else:
        yield from _STEPS[state.step](state, mutation)
    if state.step in ("fence", "drain", "catch up", "commit"):
        gates = _put(state.gates, state.source, value=True)
        yield "abort", state._replace(step="idle", gates=gates)


def _mark(state: State, _mutation: Mutation) -> Iterator[Move]:
    yield "the position, too early", state._replace(step="fence", mark=_end(state))


def _fence(state: State, mutation: Mutation) -> Iterator[Move]:
    is_left_out = mutation is Mutation.NO_FENCE
    gates = state.gates if is_left_out else _put(state.gates, state.source, value=False)
    is_undrained = mutation in (Mutation.MARK_BEFORE_DRAIN, Mutation.NO_DRAIN)
    fenced = state._replace(gates=gates, step="catch up" if is_undrained else "drain")
    yield "fence", fenced._replace(mark=_end(state)) if mutation is Mutation.NO_DRAIN else fenced


def _drain(state: State, mutation: Mutation) -> Iterator[Move]:
    is_busy = any(side == state.source for _number, side in state.open)
    if not is_busy or mutation is Mutation.NO_FENCE:
        yield "drained: the position", state._replace(step="catch up", mark=_end(state))


def _catch_up(state: State, mutation: Mutation) -> Iterator[Move]:
    is_there = state.read[state.source] >= state.mark and state.torn[state.source] is None
    if is_there or mutation is Mutation.EARLY_GRANT:
        yield "caught up", state._replace(step="commit")


def _commit(state: State, _mutation: Mutation) -> Iterator[Move]:
    owner, term = 1 - state.source, state.term + 1
    terms = _put(state.terms, owner, term)
    yield "COMMIT", state._replace(step="grant", owner=owner, term=term, terms=terms)


def _grant(state: State, _mutation: Mutation) -> Iterator[Move]:
    arms = state.owner == _CORE and not state.is_reverse_armed
    gates = _put(state.gates, state.owner, value=True)
    yield "grant", state._replace(step="arm" if arms else "idle", gates=gates)


def _arm(state: State, _mutation: Mutation) -> Iterator[Move]:
    read = _put(state.read, _CORE, len(state.logs[_CORE]))
    yield "the way back, too late", state._replace(step="idle", is_reverse_armed=True, read=read)


_STEPS = {
    "mark": _mark,
    "fence": _fence,
    "drain": _drain,
    "catch up": _catch_up,
    "commit": _commit,
    "grant": _grant,
    "arm": _arm,
}


def _end(state: State) -> int:
    return len(state.logs[state.source])


def _writes(state: State, side: int, entry: Logged, *, keeps: bool) -> State:
    """A write lands on a side; its register takes it only where it `keeps` it."""
    number, version, _maker = entry
    registers = state.registers
    return state._replace(
        held=_put(state.held, side, state.held[side] | {number}),
        registers=_put(registers, side, (version, number)) if keeps else registers,
        logs=_put(state.logs, side, (*state.logs[side], entry)),
    )


def _put(pair: tuple[T, T], index: int, value: T) -> tuple[T, T]:
    return (value, pair[1]) if index == 0 else (pair[0], value)
