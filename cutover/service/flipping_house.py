"""What a flip works with: the ports, the bounds, the order, and how time passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cutover.core.flip import Kind, Step
from cutover.errors import CutoverError
from cutover.ports.flips import Applied, Numbers, Routers, Verifier
from legacy_adapters.errors import AdapterError
from legacy_adapters.mapping.versions import Side
from legacy_adapters.ports.fences import Fences
from legacy_adapters.ports.flips import FlipBooks, Mark
from new_core.errors import CoreError
from shadow_compare.errors import CompareError

OURS = (AdapterError, CompareError, CoreError, CutoverError, OSError)
"""What may go wrong outside; anything else is a mistake in this program."""


class StepFailed(CutoverError):
    """A step did not come about, and why."""


class LeaseLost(CutoverError):
    """The control row is another coordinator's by now."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A monotonic clock, in seconds, and how to let time pass."""

    now_s: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in seconds.

    Attributes:
        budget_s: how long shoppers' writes may wait. The hold ends by itself then.
        spare_s: of the budget, kept for what comes behind the commit.
        lease_s: a holder that shows nothing for so long may be taken over.
        poll_s: between two looks at what is waited for while writes wait.
        retry_s: between two tries of what is tried for ever.
    """

    budget_s: float = 3.0
    spare_s: float = 0.5
    lease_s: float = 3.0
    poll_s: float = 0.003
    retry_s: float = 0.25


@dataclass(frozen=True, slots=True)
class House:
    """The ports of a flip."""

    books: FlipBooks
    fences: Mapping[Side, Fences]
    applied: Mapping[Side, Applied]
    verifier: Verifier
    numbers: Numbers
    routers: Routers
    pace: Pace
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done.

    Attributes:
        source: the owner that it begins with.
        term: of that owner.
        routes: domains of the routing table whose writes are held, and which are routed anew.
    """

    domain: str
    kind: Kind
    source: Side
    term: int
    routes: tuple[str, ...]
    actor: str
    reason: str

    @property
    def target(self) -> Side:
        """Where it leads."""
        return self.source.other


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, for whoever watches.

    Attributes:
        at_ms: since the flip began.
        took_ms: the step; None for one that begins.
    """

    step: Step
    mark: Mark
    at_ms: float
    took_ms: float | None
    facts: Mapping[str, Any]


Tell = Callable[[Moment], None]
