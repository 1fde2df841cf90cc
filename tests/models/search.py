"""Visits every state of a model, nearest first, and tells the shortest way to a broken one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)

Moves = Callable[[S], Iterable[tuple[str, S]]]
"""What may happen in a state, each with the state that it leads to."""


@dataclass(frozen=True, slots=True)
class Found(Generic[S]):
    """What a search came to.

    Attributes:
        states: how many were met.
        problem: what is broken in the nearest state that is; None when none is.
        trace: what happened on the way there.
    """

    states: int
    problem: str | None
    trace: tuple[str, ...]


def explore(start: S, moves: Moves[S], broken: Callable[[S], str | None]) -> Found[S]:
    """Visit all that can be reached; stop at the first broken state."""
    came_from: dict[S, tuple[S, str] | None] = {start: None}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        problem = broken(state)
        if problem is not None:
            return Found(len(came_from), problem, _trace(came_from, state))
        for name, following in moves(state):
            if following not in came_from:
                came_from[following] = (state, name)
                queue.append(following)
    return Found(len(came_from), None, ())


def stuck(start: S, moves: Moves[S], is_good: Callable[[S], bool]) -> int:
    """How many reachable states have no way to a good one."""
    before: dict[S, list[S]] = {start: []}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        for _name, following in moves(state):
            if following not in before:
                before[following] = []
                queue.append(following)
            before[following].append(state)
    saved = {state for state in before if is_good(state)}
    queue = deque(saved)
    while queue:
        for earlier in before[queue.popleft()]:
            if earlier not in saved:
                saved.add(earlier)
                queue.append(earlier)
    return len(before) - len(saved)


def _trace(came_from: dict[S, tuple[S, str] | None], state: S) -> tuple[str, ...]:
    names: list[str] = []
    step = came_from[state]
    while step is not None:
        state, name = step
        names.append(name)
        step = came_from[state]
    return tuple(reversed(names))
