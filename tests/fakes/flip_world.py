"""Two toy stores with gates, open transactions and streams, and a proxy between them.

Everything is in memory; what the real ones promise is kept: a gate closes when no transaction
is open, its row stands in the log like any write, and a barrier is written when all before it
is across.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from typing_extensions import override

from cutover.ports.flips import HoldSeen
from legacy_adapters.errors import FenceTimeout
from legacy_adapters.mapping.marks import stream_from
from legacy_adapters.mapping.rows import Table
from legacy_adapters.mapping.versions import NOBODY, Side
from legacy_adapters.ports.fences import FenceRow, Fencing
from legacy_adapters.ports.flips import Lease, Line, Verdict
from tests.fakes.flips import FakeFlipBooks

DOMAIN = "orders"
ROUTES = ("cart", "checkout")

Logged = tuple[str, int]
"""("app", write), ("stream", write) or ("fence", term of a closed gate)."""


@dataclass(slots=True)
class ToyStore:
    """One side.

    Attributes:
        open: transactions that have begun, by write.
        held: writes that are committed here, of either side.
        applied: stream to (term, barrier, position).
    """

    side: Side
    row: FenceRow = field(default_factory=lambda: FenceRow(DOMAIN, "legacy", 1))
    open: set[int] = field(default_factory=set)
    held: set[int] = field(default_factory=set)
    log: list[Logged] = field(default_factory=list)
    barrier: int = 0
    read: int = 0

    @property
    def is_open(self) -> bool:
        """Whether its application may write."""
        return self.row.owner == self.side.value

    def commit(self, write: int) -> None:
        """End an open transaction well."""
        self.open.discard(write)
        self.held.add(write)
        self.log.append(("app", write))

    def take(self, entry: Logged) -> None:
        """Apply what the other side's log says next."""
        kind, number = entry
        if kind == "fence":
            self.barrier = max(self.barrier, number)
        elif kind == "app":
            self.held.add(number)
            self.log.append(("stream", number))

    async def applied(self) -> Mapping[tuple[str, str], tuple[int, int, int]]:
        return {(stream_from(self.side.other), DOMAIN): (0, self.barrier, 0)}


@dataclass(slots=True)
class ToyFences:
    """Implements ports.fences.Fences over a toy store."""

    store: ToyStore

    @property
    def side(self) -> Side:
        return self.store.side

    async def install(self, domains: Mapping[str, Sequence[Table]], owner: Side) -> None:
        """They are there."""

    async def remove(self) -> None:
        """They stay."""

    async def rows(self) -> Mapping[str, FenceRow]:
        return {DOMAIN: self.store.row}

    async def close_gate(self, domain: str, *, term: int, wait_s: float) -> Fencing:
        store, closed = self.store, FenceRow(domain, NOBODY, term + 1)
        if store.row == closed:
            return Fencing(changed=True, waited_s=0, row=closed)
        if store.row != FenceRow(domain, self.side.value, term):
            return Fencing(changed=False, waited_s=0, row=store.row)
        if store.open:
            raise FenceTimeout(f"{len(store.open)} transactions are open")
        store.row = closed
        store.log.append(("fence", term + 1))
        return Fencing(changed=True, waited_s=0.004, row=closed)

    async def open_gate(self, domain: str, owner: Side, *, term: int, wait_s: float) -> Fencing:
        if self.store.row.term >= term:
            return Fencing(changed=False, waited_s=0, row=self.store.row)
        self.store.row = FenceRow(domain, owner.value, term)
        return Fencing(changed=True, waited_s=0, row=self.store.row)


@dataclass(frozen=True, slots=True)
class ToyVerified:
    """Implements ports.flips.Verified."""

    compared: int
    problems: tuple[str, ...]


@dataclass(slots=True)
class ToyVerifier:
    """Implements ports.flips.Verifier with what it is given."""

    problems: tuple[str, ...] = ()

    async def ready(self, domain: str, owner: Side) -> None:
        """There is nothing to compare."""

    async def verify(self, domain: str, owner: Side, *, within_s: float) -> ToyVerified:
        return ToyVerified(7, self.problems)


@dataclass(slots=True)
class ToyNumbers:
    """Implements ports.flips.Numbers with what it is given."""

    problems: tuple[str, ...] = ()

    async def ensure(self, domain: str, side: Side) -> Sequence[str]:
        return self.problems


@dataclass(slots=True)
class ToyDraft:
    """Implements ports.flips.Draft."""

    routers: ToyRouters
    to: Side

    async def put_in_force(self) -> str:
        self.routers.routed_to = self.to
        self.routers.did.append(f"routed to {self.to}")
        return f"table-{self.to}"

    def write_down(self) -> Sequence[str]:
        self.routers.did.append("written down")
        return ()


@dataclass(slots=True)
class ToyRouters:
    """Implements ports.flips.Routers.

    Attributes:
        in_flight: what each look at a hold tells, one after the other; 0 behind the last.
        away: raised by every call that asks the side door.
    """

    routed_to: Side = Side.LEGACY
    held: set[str] = field(default_factory=set)
    in_flight: list[int] = field(default_factory=list)
    away: Exception | None = None
    did: list[str] = field(default_factory=list)

    async def hold(self, domains: Sequence[str], *, for_s: float) -> HoldSeen:
        self._ask()
        self.held |= set(domains)
        self.did.append("held")
        return self._seen()

    async def holding(self, domains: Sequence[str]) -> HoldSeen | None:
        self._ask()
        return self._seen() if self.held >= set(domains) else None

    async def take(self, revision: str) -> None:
        self._ask()
        self.did.append(f"took {revision}")

    async def release(self, domains: Sequence[str]) -> bool:
        self._ask()
        was_held = bool(self.held)
        self.held -= set(domains)
        self.did.append("released")
        return was_held

    @asynccontextmanager
    async def draft(
        self, domains: Sequence[str], to: Side, *, actor: str, reason: str
    ) -> AsyncIterator[ToyDraft]:
        self.did.append("drafted")
        yield ToyDraft(self, to)

    async def known(self, domains: Sequence[str]) -> Sequence[str]:
        return domains

    def _ask(self) -> None:
        if self.away is not None:
            raise self.away

    def _seen(self) -> HoldSeen:
        return HoldSeen(self.in_flight.pop(0) if self.in_flight else 0, 0)


class ToyBooks(FakeFlipBooks):
    """Books in the core's toy store: a decision for the core opens its gate."""

    def __init__(self, core: ToyStore) -> None:
        super().__init__()
        self._core = core

    @override
    async def decide(self, lease: Lease, verdict: Verdict, lines: Sequence[Line]) -> bool:
        is_decided = await super().decide(lease, verdict, lines)
        if is_decided and verdict.owner is Side.CORE and self._core.row.term < verdict.term:
            self._core.row = FenceRow(DOMAIN, "core", verdict.term)
        return is_decided
