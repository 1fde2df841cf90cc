"""Flips as an operator makes them: after a comparison, again when a gate is red, to their end."""

from __future__ import annotations

import time
from dataclasses import dataclass

from typing_extensions import override

from tests.ledger.house import House
from tests.ledger.processes import Coordinator

_PATIENCE_S = 90.0
_RED_S = 180.0
_TRIES = 12
DONE, REFUSED, ABORTED = 0, 3, 5
_BY_COMPARING = ("drift", "last clean pass")
STEPS = ("lease", "hold", "fence", "catch_up", "verify", "numbers", "commit", "grant", "release")


class NotRight(Exception):
    """Something came about that no fault may bring about."""


@dataclass(frozen=True, slots=True)
class Flown:
    """What came of a flip.

    Attributes:
        status: the command's exit status.
        told: what it said of its steps, or what stood against it.
    """

    status: int
    told: str
    freeze_ms: float | None = None

    @override
    def __str__(self) -> str:
        wait = "" if self.freeze_ms is None else f", froze {self.freeze_ms:.0f} ms"
        return f"exit {self.status}{wait}; {self.told}"


def compare(house: House, *, hot: bool = False) -> None:
    """Run a pass. A difference is wrong: nobody has made one.

    Raises:
        NotRight: with the differences.
    """
    # A pass that a killed store ended is no verdict; differences are.
    done = house.banyan("reconcile", "orders", *(("--hot",) if hot else ()))
    if done.returncode == 0:
        house.compared.add(house.owner())
        return
    drifts = house.banyan("drift", "list", "orders")
    print(f"reconcile: {done.stdout[-600:]} {done.stderr[-600:]}\n{drifts.stdout}", flush=True)


def under_way(house: House, side: str) -> Coordinator:
    """A flip that has taken the lease.

    Raises:
        NotRight: gates stay red.
    """
    reds: tuple[str, ...] = ()
    deadline = time.monotonic() + _RED_S
    while time.monotonic() < deadline:
        house.revive()
        if house.owner() not in house.compared:
            compare(house)
        found = house.begin(side)
        if found.reached("lease"):
            return found
        status, reds = found.wait(), found.reds
        if status != REFUSED:
            raise NotRight(f"the flip ended with {status}: {found.said[-3:]}")
        if any(one.startswith(_BY_COMPARING) for one in reds):
            compare(house)
        else:
            if any(one.startswith("lag") for one in reds):
                house.slower()
            time.sleep(0.5)
    raise NotRight(f"gates stay red: {'; '.join(reds)}")


def flip(house: House, side: str) -> Flown:
    """Flip, and come again when it was taken back."""
    flown = Flown(REFUSED, "")
    for _ in range(_TRIES):
        at_work = under_way(house, side)
        flown = Flown(at_work.wait(), at_work.steps, at_work.freeze_ms)
        if flown.status != ABORTED:
            return flown
        print(f"  taken back: {at_work.steps} {_problem(at_work)}", flush=True)
        time.sleep(0.5)
    return flown


def _problem(coordinator: Coordinator) -> str:
    return next((str(line["problem"]) for line in coordinator.said if line.get("problem")), "")


def refused(house: House, side: str) -> tuple[str, ...]:
    """What stands against a flip that must not be let through.

    Raises:
        NotRight: it was let through.
    """
    found = house.begin(side)
    status = found.wait()
    if status not in (REFUSED, ABORTED) or house.owner() == side:
        raise NotRight(f"a flip was let through: {found.steps}")
    return found.reds or (_problem(found),)


def finish(house: House) -> None:
    """Bring back what died, and what is under way to its end: one owner, nobody in between.

    Raises:
        NotRight: not within a minute and a half, or both sides may be written.
    """
    deadline = time.monotonic() + _PATIENCE_S
    told = ""
    while time.monotonic() < deadline:
        house.serve()
        if house.phase() == "owned":
            _one_owner(house)
            return
        done = house.banyan("flip", "--resume", "--yes")
        told = f"{done.stdout[-300:]} {done.stderr[-300:]}"
        time.sleep(0.2)
    raise NotRight(f"phase {house.phase()} after {_PATIENCE_S:.0f} s: {told}")


def _one_owner(house: House) -> None:
    gates, owner = house.gates(), house.owner()
    is_open = [side for side, row in gates.items() if row == side]
    if is_open != [owner]:
        raise NotRight(f"{owner} owns, and the gates say {gates}")
