"""Wait until every worker of the proxy decides by a new table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from cutover.errors import DoorClosed
from cutover.ports import DoorState, ProxyDoor

ACK_S = 5.0
_POLL_S = 0.02


class Ack(StrEnum):
    """What the proxy made of a new table."""

    TAKEN = "taken"
    NOT_TAKEN = "not_taken"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The answer and a sentence about it.

    Attributes:
        elapsed_s: from the first question to the answer.
    """

    ack: Ack
    sentence: str
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Timer:
    """How time passes: seconds of a monotonic clock, and how to let some pass."""

    now_s: Callable[[], float]
    sleep: Callable[[float], None]


def wait_until_taken(
    door: ProxyDoor, revision: str, timer: Timer, *, within_s: float = ACK_S
) -> Acknowledged:
    """Ask the side door until all workers follow `revision`, or time is up.

    Never raises: the table is in force on disk whatever the proxy says now. When nothing
    listens at the side door there is nothing to wait for.
    """
    began = timer.now_s()
    while True:
        state, problem = None, ""
        try:
            state = door.state()
        except DoorClosed as exc:
            problem = str(exc)
            if exc.is_refused:
                return Acknowledged(Ack.AWAY, _away(door), timer.now_s() - began)
        elapsed_s = timer.now_s() - began
        if state is not None and _has_taken(state, revision):
            workers = "1 worker" if state.workers == 1 else f"{state.workers} workers"
            sentence = f"The proxy took it in {elapsed_s:.2f} s ({workers})."
            return Acknowledged(Ack.TAKEN, sentence, elapsed_s)
        if elapsed_s >= within_s:
            return Acknowledged(Ack.NOT_TAKEN, _not_taken(state, problem, within_s), elapsed_s)
        timer.sleep(_POLL_S)


def _has_taken(state: DoorState, revision: str) -> bool:
    return (
        state.workers > 0
        and len(state.revisions) == state.workers
        and set(state.revisions.values()) == {revision}
    )


def _away(door: ProxyDoor) -> str:
    return (
        f"No proxy answers at {door.url}: the file is written, and the proxy takes it when it"
        " starts."
    )


def _not_taken(state: DoorState | None, problem: str, within_s: float) -> str:
    if state is None:
        return (
            f"Written, but the proxy did not say within {within_s:g} s whether it took it"
            f" ({problem})."
        )
    if state.problem:
        return f"Written, but the proxy cannot load it: {state.problem}"
    seen = ", ".join(
        f"worker {pid} follows {revision or 'none'}"
        for pid, revision in sorted(state.revisions.items())
    )
    return (
        f"Written, but not taken by every worker within {within_s:g} s"
        f" ({seen or 'no worker is up'}). Does the proxy follow this file?"
    )
