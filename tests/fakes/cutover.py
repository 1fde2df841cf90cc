"""Fakes of what cutover needs from the outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cutover.errors import DoorClosed
from cutover.ports import DoorState
from cutover.service.acknowledge import Timer
from cutover.service.books import Books
from cutover.service.gathering import OpenEvidence
from cutover.service.hands import Hands, Pens
from cutover.storage.applied import AppliedFile
from cutover.storage.graft import graft
from cutover.storage.ledger import RevisionFiles
from cutover.storage.restage import reshare, restage
from cutover.storage.turn import FileTurn
from shadow_compare.errors import EvidenceUnavailable
from shadow_compare.ports import EvidenceReader, ProofStore
from tests.fakes.evidence import FakeEvidence

NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


@dataclass(slots=True)
class FakeTime:
    """A clock that moves when somebody sleeps."""

    now_s: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def timer(self) -> Timer:
        return Timer(lambda: self.now_s, self.sleep)


@dataclass(slots=True)
class FakeDoor:
    """A side door that answers what it was given, one after the other; the last one stays."""

    answers: Sequence[DoorState | DoorClosed] = ()
    url: str = "http://127.0.0.1:8090"
    asked: int = 0

    def state(self) -> DoorState:
        if not self.answers:
            raise DoorClosed(f"nothing listens at {self.url}", is_refused=True)
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, DoorClosed):
            raise answer
        return answer


@dataclass(slots=True)
class Opening:
    """How to open an evidence reader; counts how often it was."""

    reader: EvidenceReader
    opened: int = field(default=0)

    def how(self) -> OpenEvidence:
        @asynccontextmanager
        async def opened() -> AsyncIterator[EvidenceReader]:
            self.opened += 1
            yield self.reader

        return opened


def books_in(var: Path, *, now: Callable[[], datetime] = lambda: NOON) -> Books:
    """Real files in a folder, with a clock that stands still."""
    time = FakeTime()
    return Books(
        applied=AppliedFile(var / "applied.yaml"),
        ledger=RevisionFiles(var / "revisions"),
        turn=FileTurn(var / "cutover.lock", lambda: time.now_s, time.sleep),
        now=now,
    )


def hands_over(var: Path, evidence: EvidenceReader | None = None) -> Hands:
    """Hands over real files in a folder, where no proxy listens and no rule was proven."""

    def no_proof() -> AbstractAsyncContextManager[ProofStore]:
        raise EvidenceUnavailable("there is none")

    return Hands(
        books=books_in(var),
        pens=Pens(restage, reshare, graft),
        open_evidence=Opening(evidence or FakeEvidence()).how(),
        open_proof=no_proof,
        owners=dict,
        door=FakeDoor(),
        timer=FakeTime().timer(),
    )
