"""What a flip needs from the outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from legacy_adapters.mapping.versions import Side


class Applied(Protocol):
    """How far one store has what the other side wrote (RowStore, CoreStore)."""

    async def applied(self) -> Mapping[tuple[str, str], tuple[int, int, int]]:
        """(stream, domain) to (term, barrier, position).

        Raises:
            SourceUnavailable, StoreUnavailable: no answer.
        """
        ...


class Verified(Protocol):
    """What came of a comparison."""

    @property
    def compared(self) -> int:
        """Aggregates."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """A sentence for each thing that differs, or that kept the check from its end."""
        ...


class Verifier(Protocol):
    """Compares both sides while nobody writes."""

    async def ready(self, domain: str, owner: Side) -> None:
        """Compare ahead while writes go on, so that `verify` has little left; raises nothing."""
        ...

    async def verify(self, domain: str, owner: Side, *, within_s: float) -> Verified:
        """Compare exactly what was touched since the last clean pass, and the day's sums.

        What cannot be compared within the time is a problem, never a pass.
        """
        ...


class Numbers(Protocol):
    """The counters that a side draws its own keys from."""

    async def ensure(self, domain: str, side: Side) -> Sequence[str]:
        """Move the side's counters past every key in use. Returns what stands against it."""
        ...


class Draft(Protocol):
    """A routing table that sends a domain to one side, on disk and not in force yet."""

    async def put_in_force(self) -> str:
        """Swap it in, whatever was changed meanwhile, and give its revision. Repeatable.

        Raises:
            CutoverError: it cannot be; the old one stays.
        """
        ...

    def write_down(self) -> Sequence[str]:
        """Tell the ledger what came into force. Returns what went wrong; raises nothing."""
        ...


@dataclass(frozen=True, slots=True)
class HoldSeen:
    """A hold over all of the domains that were asked for.

    Attributes:
        in_flight: writes that were sent on before and have not ended.
        waiting: writes that wait.
    """

    in_flight: int
    waiting: int


class Routers(Protocol):
    """The proxy that shoppers come through, and the table it follows.

    Raises:
        DoorClosed: no answer from the side door.
        Refused: it answered no.
    """

    async def hold(self, domains: Sequence[str], *, for_s: float) -> HoldSeen:
        """Let their writes wait, in every worker; all of them or none."""
        ...

    async def holding(self, domains: Sequence[str]) -> HoldSeen | None:
        """How the hold stands; None when one of them is not held any more."""
        ...

    async def take(self, revision: str) -> None:
        """Make every worker take the table in force, and wait until it has."""
        ...

    async def release(self, domains: Sequence[str]) -> bool:
        """Let their writes go on. False when the hold was over already."""
        ...

    def draft(
        self, domains: Sequence[str], to: Side, *, actor: str, reason: str
    ) -> AbstractAsyncContextManager[Draft]:
        """Prepare the table that sends them there."""
        ...

    async def known(self, domains: Sequence[str]) -> Sequence[str]:
        """Which of them the table in force has."""
        ...
