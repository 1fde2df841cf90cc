"""Two coordinators run the steps of a flip; each may crash or sleep at every point.

The control row decides; each store's fence row says whether it lets its application write.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from functools import partial
from typing import NamedTuple

from tests.models.search import Found, explore, stuck


class Mutation(Enum):
    """A protocol with one thought left out."""

    NONE = "none"
    ABORT_WITHOUT_ASKING = "an abort opens the gate without asking the control row"
    BLIND_GRANT = "a grant does not compare the term"
    BLIND_FENCE = "a fence does not compare the term"


class Control(NamedTuple):
    """The one row that decides."""

    phase: str
    owner: int
    term: int


class Fence(NamedTuple):
    """What one store says."""

    is_open: bool
    term: int


class Coordinator(NamedTuple):
    """Where a coordinator is, and what it believes: from which side, at which term."""

    at: str
    side: int
    term: int


class State(NamedTuple):
    """Everything. Sides and coordinators are 0 and 1."""

    control: Control
    fences: tuple[Fence, Fence]
    crew: tuple[Coordinator, Coordinator]
    flips: int


_IDLE = Coordinator("idle", 0, 0)
_START = State(Control("OWNED", 0, 0), (Fence(True, 0), Fence(False, 0)), (_IDLE, _IDLE), 0)
_SIDES = ("legacy", "core")

Move = tuple[str, State]


def check(mutation: Mutation = Mutation.NONE, flips: int = 3) -> Found[State]:
    """I1 and I8 in every state; L1 where those hold."""
    moves = partial(_moves, mutation=mutation, flips=flips)
    found = explore(_START, moves, _broken)
    if found.problem is None:
        lost = stuck(_START, moves, lambda state: state.control.phase == "OWNED")
        if lost:
            return Found(found.states, f"L1: {lost} states lead nowhere", ())
    return found


def _broken(state: State) -> str | None:
    if all(fence.is_open for fence in state.fences):
        return "I1: two writers"
    if state.control.phase == "OWNED" and not state.fences[state.control.owner].is_open:
        return "I8: the owner may not write"
    return None


def _moves(state: State, *, mutation: Mutation, flips: int) -> Iterator[Move]:
    for number, one in enumerate(state.crew):
        if one.at == "idle":
            yield from _begins(state, number, flips)
            continue
        yield f"{number} crashes", _goes(state, number, _IDLE)
        yield from _STEPS[one.at](state, number, mutation)


def _begins(state: State, number: int, flips: int) -> Iterator[Move]:
    phase, owner, term = state.control
    if phase == "OWNED" and state.flips < flips:
        begun = state._replace(control=Control("FLIPPING", owner, term), flips=state.flips + 1)
        fencing = Coordinator("fence", owner, term)
        yield f"{number} starts from {_SIDES[owner]} at {term}", _goes(begun, number, fencing)
    if phase == "FLIPPING":
        yield f"{number} takes over", _goes(state, number, Coordinator("fence", owner, term))
    if phase in ("COMMITTED", "ABORTED"):
        yield f"{number} finishes", _goes(state, number, Coordinator("grant", owner, term))


def _fences(state: State, number: int, mutation: Mutation) -> Iterator[Move]:
    one = state.crew[number]
    fence = state.fences[one.side]
    decides, name = one._replace(at="decide"), f"{number} fences {_SIDES[one.side]}"
    if mutation is Mutation.BLIND_FENCE or fence == Fence(True, one.term):
        closed = _sets(state, one.side, Fence(False, one.term + 1))
        yield name, _goes(closed, number, decides)
    elif fence == Fence(False, one.term + 1):
        yield f"{name}, already", _goes(state, number, decides)
    else:
        yield f"{name}, refused", _goes(state, number, _IDLE)
    yield f"{number} gives up", _goes(state, number, one._replace(at="abort"))


def _decides(state: State, number: int, _mutation: Mutation) -> Iterator[Move]:
    one = state.crew[number]
    yield f"{number} wants to abort", _goes(state, number, one._replace(at="abort"))
    if state.control == Control("FLIPPING", one.side, one.term):
        owner = 1 - one.side
        done = state._replace(control=Control("COMMITTED", owner, one.term + 2))
        yield f"{number} COMMITS", _goes(done, number, Coordinator("grant", owner, one.term + 2))
    else:
        yield f"{number} may not commit", _goes(state, number, _IDLE)


def _aborts(state: State, number: int, mutation: Mutation) -> Iterator[Move]:
    one = state.crew[number]
    if mutation is Mutation.ABORT_WITHOUT_ASKING:
        is_older = state.fences[one.side].term < one.term + 2
        opened = _sets(state, one.side, Fence(True, one.term + 2)) if is_older else state
        yield f"{number} opens {_SIDES[one.side]} unasked", _goes(opened, number, _IDLE)
    elif state.control == Control("FLIPPING", one.side, one.term):
        done = state._replace(control=Control("ABORTED", one.side, one.term + 2))
        grants = Coordinator("grant", one.side, one.term + 2)
        yield f"{number} ABORTS", _goes(done, number, grants)
    else:
        yield f"{number} may not abort", _goes(state, number, _IDLE)


def _grants(state: State, number: int, mutation: Mutation) -> Iterator[Move]:
    one = state.crew[number]
    is_older = state.fences[one.side].term < one.term or mutation is Mutation.BLIND_GRANT
    opened = _sets(state, one.side, Fence(True, one.term)) if is_older else state
    name = f"{number} opens {_SIDES[one.side]} at {one.term}"
    yield name, _goes(opened, number, one._replace(at="close"))


def _closes(state: State, number: int, _mutation: Mutation) -> Iterator[Move]:
    one, control = state.crew[number], state.control
    is_decided = control.phase in ("COMMITTED", "ABORTED")
    if is_decided and (control.owner, control.term) == (one.side, one.term):
        state = state._replace(control=control._replace(phase="OWNED"))
    yield f"{number} closes", _goes(state, number, _IDLE)


_STEPS = {
    "fence": _fences,
    "decide": _decides,
    "abort": _aborts,
    "grant": _grants,
    "close": _closes,
}


def _goes(state: State, number: int, to: Coordinator) -> State:
    crew = (to, state.crew[1]) if number == 0 else (state.crew[0], to)
    return state._replace(crew=crew)


def _sets(state: State, side: int, fence: Fence) -> State:
    fences = (fence, state.fences[1]) if side == 0 else (state.fences[0], fence)
    return state._replace(fences=fences)
