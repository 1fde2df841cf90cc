"""What somebody may do from the control room or the command line, each act over the books."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import TypeVar

from cutover.core.flip_owners import Owners
from cutover.core.plan_file import PlanFile
from cutover.core.revision import Revision
from cutover.core.undo import undo_reason
from cutover.errors import Conflict
from cutover.ports import ProxyDoor
from cutover.service.acknowledge import ACK_S, Acknowledged, Timer, wait_until_taken
from cutover.service.applying import Prepared, Reshare, commit, prepare
from cutover.service.approving import Wish, approve
from cutover.service.books import Books
from cutover.service.doubts import OpenProof
from cutover.service.gathering import OpenEvidence
from cutover.service.plan_files import commit_planned, keep, prepare_again
from cutover.service.rolling_back import Restage, RolledBack, owners_or_note, roll_back
from cutover.service.undoing import Graft, undo
from proxy.routing import Stage

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Pens:
    """How a table's text is changed so that the rest of it stays as it was."""

    restage: Restage
    reshare: Reshare
    graft: Graft


@dataclass(frozen=True, slots=True)
class Hands:
    """Each method is one act. Files block, so all of it runs in threads.

    A cancelled caller does not stop an act: it is done whole, or not at all.

    Attributes:
        owners: who owns the data behind routes, read anew each time. Raises CannotRead.
    """

    books: Books
    pens: Pens
    open_evidence: OpenEvidence
    open_proof: OpenProof
    owners: Callable[[], Owners]
    door: ProxyDoor
    timer: Timer

    async def plan(self, text: bytes, file: str, actor: str, *, init: bool = False) -> Prepared:
        """What putting this text in force would do. Changes nothing.

        `file` is what messages call it; `actor` is who would apply it.

        Raises:
            RoutingFileError, RelativeFiles, CannotRead: as `prepare` does.
        """
        return await _aside(
            lambda: prepare(
                self.books,
                text,
                file,
                self.open_evidence,
                open_proof=self.open_proof,
                owners=self.owners(),
                actor=actor,
                reshare=self.pens.reshare,
                init=init,
            )
        )

    async def keep(
        self, prepared: Prepared, *, file: str, actor: str, init: bool = False
    ) -> PlanFile:
        """The plan as a value that can be kept, and be planned again later."""
        return await asyncio.to_thread(
            keep, self.books, prepared, file=file, actor=actor, init=init
        )

    async def plan_again(self, planned: PlanFile, *, actor: str) -> Prepared:
        """A kept plan as it stands now: its gates are asked anew.

        Raises:
            StalePlan, PlanFileError, CannotRead: as `prepare_again` does.
        """
        return await _aside(
            lambda: prepare_again(
                self.books,
                planned,
                self.open_evidence,
                open_proof=self.open_proof,
                owners=self.owners(),
                actor=actor,
            )
        )

    async def apply(
        self,
        prepared: Prepared,
        *,
        actor: str,
        reason: str,
        planned: PlanFile | None = None,
    ) -> Revision:
        """Put just this plan in force and write it down; `planned` is what it was kept as.

        Raises:
            Conflict: what is in force is not what it was made from.
            StalePlan: the same, of a kept plan.
            CannotWrite: nothing came into force.
        """
        why = reason
        if prepared.undoes is not None:
            why = undo_reason(*prepared.undoes, reason)
        if planned is None:
            return await asyncio.to_thread(commit, self.books, prepared, actor=actor, reason=why)
        return await asyncio.to_thread(
            commit_planned, self.books, planned, prepared, actor=actor, reason=why
        )

    async def undo(self, n: int, *, actor: str, and_later: bool = False) -> Prepared:
        """The plan that takes a revision back; `and_later` all that came after it too.

        Raises:
            CannotUndo: later changes are in the way, or there is nothing to go back to.
            Conflict: what is in force changed meanwhile.
            CannotRead: as `prepare` does.
        """
        wish = await asyncio.to_thread(undo, self.books, n, self.pens.graft, and_later=and_later)
        prepared = await _aside(
            lambda: prepare(
                self.books,
                wish.desired,
                wish.name,
                self.open_evidence,
                open_proof=self.open_proof,
                owners=self.owners(),
                actor=actor,
            )
        )
        now, then = prepared.in_force, wish.seen
        if (now.on_disk, now.last) != (then.on_disk, then.last):
            raise Conflict(
                "what is in force was changed meanwhile; look at banyan ledger list again"
            )
        # The table asked for is no file that somebody edits, so it has not drifted.
        return replace(prepared, drift=(), undoes=(wish.first, wish.last), name=wish.name)

    async def roll_back(
        self, domain: str, *, to: Stage | None, actor: str, reason: str
    ) -> RolledBack:
        """Take a domain back, at once. Asks no gate.

        Raises:
            NothingInForce, UnknownDomain, IllegalStep, CannotRead, CannotWrite: as
                `rolling_back.roll_back` does.
        """

        def done() -> RolledBack:
            owners, notes = owners_or_note(self.owners)
            back = roll_back(
                self.books,
                domain,
                self.pens.restage,
                to=to,
                actor=actor,
                reason=reason,
                owners=owners,
            )
            return replace(back, warnings=(*notes, *back.warnings))

        return await asyncio.to_thread(done)

    async def approve(self, wish: Wish) -> Revision:
        """Write a yes to a step down, or that it is taken back.

        Raises:
            NothingInForce, UnknownDomain, IllegalStep, Conflict, CannotRead, CannotWrite:
                as `approving.approve` does.
        """
        return await asyncio.to_thread(approve, self.books, wish)

    async def taken(self, table: str, *, within_s: float = ACK_S) -> Acknowledged:
        """Wait until every worker of the proxy follows a table. Never raises."""
        return await asyncio.to_thread(
            wait_until_taken, self.door, table, self.timer, within_s=within_s
        )


async def _aside(work: Callable[[], Coroutine[object, object, _T]]) -> _T:
    """Run work that awaits databases and reads files in between, on a loop in a thread."""
    return await asyncio.to_thread(lambda: asyncio.run(work()))
