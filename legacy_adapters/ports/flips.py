"""Who owns a domain, who is changing that just now, and what they have done so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from legacy_adapters.mapping.versions import Side


class Phase(StrEnum):
    """Where a domain's ownership stands.

    owned: `owner` may write; its gate is open. flipping: `owner` still is, a coordinator is at
    work. committed: `owner` is the new one, forward only. aborted: `owner` stays, and gets its
    gate back.
    """

    OWNED = "owned"
    FLIPPING = "flipping"
    COMMITTED = "committed"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Control:
    """The one row of a domain that decides.

    Attributes:
        term: only grows; by 2 with each flip or abort. The fence's is the one in between.
        flip: the last flip of this domain; 0 before the first.
        holder: the coordinator that may go on with it; "" for none.
        beat: grows while that one lives. Who sees it stand still for long enough by an own
            monotonic clock may take over: no two machines' clocks are ever compared.
    """

    domain: str
    phase: Phase
    owner: Side
    term: int
    flip: int = 0
    holder: str = ""
    beat: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """What a coordinator holds while it works. The row's holder is compared each time."""

    domain: str
    flip: int
    holder: str


class Mark(StrEnum):
    """What a line of the journal says of a step."""

    INTENT = "intent"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the journal, to be written.

    Attributes:
        facts: plain values for JSON.
    """

    step: str
    mark: Mark
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Noted:
    """A line as the journal has it."""

    line: Line
    holder: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FlipStart:
    """What a flip is, from its first moment on.

    Attributes:
        kind: "flip" or "rehearsal".
        source: the owner that it begins with.
        term: of that owner.
        facts: plain values for JSON, e.g. what preflight said.
    """

    domain: str
    kind: str
    source: Side
    target: Side
    term: int
    actor: str
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class FlipRecord:
    """A flip as the books have it.

    Attributes:
        outcome: "" while it is not over, or where its coordinator died before it had the lease;
            else as in Over.
        freeze_ms: from hold to release; None where nothing was held, or where its coordinator
            died in between.
        problem: why it did not commit; "" when it did.
    """

    id: int
    start: FlipStart
    began_at: datetime
    ended_at: datetime | None
    outcome: str
    freeze_ms: float | None
    problem: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a flip is decided to be: the row's new phase, owner and term."""

    phase: Phase
    owner: Side
    term: int


@dataclass(frozen=True, slots=True)
class Over:
    """How a flip ended.

    Attributes:
        outcome: "committed", "aborted", "rehearsed" or "nothing".
        freeze_ms, problem: as in FlipRecord.
    """

    outcome: str
    freeze_ms: float | None = None
    problem: str = ""


class FlipBooks(Protocol):
    """Control rows, flips and their journal, in the core's database.

    Each call is one transaction. Calls that take a lease change nothing and give False when it
    is not the row's any more, whoever took it.

    Raises: StoreUnavailable, from any call: it may have happened or not; ask `control`.
    """

    async def ensure(self, domain: str, owner: Side, term: int) -> Control:
        """A domain's row; made when there is none, as its fences are."""
        ...

    async def control(self, domain: str) -> Control | None:
        """A domain's row; None before `ensure`."""
        ...

    async def controls(self) -> Mapping[str, Control]:
        """All rows by domain."""
        ...

    async def begin(self, start: FlipStart, lines: Sequence[Line]) -> int:
        """Write a flip down that has no effect yet. Returns its id."""
        ...

    async def lease(self, lease: Lease, seen: Control, lines: Sequence[Line]) -> bool:
        """From owned to flipping, if the row is as it was seen."""
        ...

    async def take_over(self, lease: Lease, seen: Control) -> bool:
        """Become the holder of a flip, if the row is as it was seen, beat and all."""
        ...

    async def keep(self, lease: Lease) -> bool:
        """Show that the holder lives."""
        ...

    async def note(self, lease: Lease, lines: Sequence[Line]) -> bool:
        """Write lines, and show that the holder lives."""
        ...

    async def decide(self, lease: Lease, verdict: Verdict, lines: Sequence[Line]) -> bool:
        """From flipping to committed or aborted: the point of no return.

        When the core is to own, its fence row is opened in the same transaction.
        """
        ...

    async def close(self, lease: Lease, lines: Sequence[Line], over: Over) -> bool:
        """From committed or aborted to owned; the flip is over."""
        ...

    async def end(self, flip: int, over: Over) -> None:
        """Say that a flip ended which never had the lease; what is said already stays."""
        ...

    async def add(self, flip: int, holder: str, lines: Sequence[Line]) -> None:
        """Write lines about a flip that is over: its watch."""
        ...

    async def flips(self, domain: str | None = None, *, limit: int = 20) -> Sequence[FlipRecord]:
        """The last flips, newest first."""
        ...

    async def journal(self, flip: int) -> Sequence[Noted]:
        """Everything noted of a flip, in order."""
        ...
