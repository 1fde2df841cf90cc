"""What all pages share by which people act: the hands, who may, and what was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cutover.api.acting import Gatehouse
from cutover.api.deeds import Deed, Deeds
from cutover.api.live import Board
from cutover.api.planview import Preview
from cutover.core.access import Permission, Who
from cutover.core.revision import Revision
from cutover.errors import (
    CannotRead,
    CannotWrite,
    Conflict,
    CutoverError,
    NothingInForce,
    StalePlan,
    UnknownDomain,
)
from cutover.service.hands import Hands
from proxy.errors import RoutingFileError

#: So long a page waits for the proxy to follow; what it says later, the next page tells.
WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Desk:
    """Belongs to one event loop.

    Attributes:
        hands: None where nothing may be done from here.
    """

    board: Board
    clock_s: Callable[[], float]
    hands: Hands | None
    gatehouse: Gatehouse
    deeds: Deeds = field(default_factory=Deeds)

    def notice(self, status: int, title: str, text: str) -> HTMLResponse:
        """A page that only says why nothing was done."""
        return HTMLResponse(self.board.renderer.notice(title, text, self.clock_s()), status)

    def refused(self, exc: CutoverError | RoutingFileError) -> HTMLResponse:
        """A page for an act that failed."""
        return self.notice(status_of(exc), "Nothing was changed", sentence(exc))

    def previewed(self, page: Preview, who: Who, subject: str) -> HTMLResponse:
        """A plan to be looked at, with the form that confirms it where somebody may."""
        form = None
        if page.plan.may_go:
            form = self.gatehouse.form(who, Permission.STEP, subject, self.clock_s(), page.tried)
        return HTMLResponse(self.board.renderer.preview(page, form), page.tried.status)

    async def settled(self, revision: Revision, began: float) -> Response:
        """Wait for the proxy, and lead to the page that says what was done.

        `began` is when the form arrived, by `perf_counter`.
        """
        took_s = perf_counter() - began
        assert self.hands is not None  # noqa: S101 - somebody has just acted by them
        taken = await self.hands.taken(revision.table_sha256[:12], within_s=WAIT_S)
        self.board.channels.expire()
        self.deeds.keep(Deed(revision.n, took_s, taken.sentence))
        return RedirectResponse(f"/ledger/{revision.n}/done", 303)


def status_of(exc: Exception) -> int:
    """The status of an answer to what failed so."""
    if isinstance(exc, UnknownDomain):
        return 404
    if isinstance(exc, Conflict | StalePlan | NothingInForce):
        return 409
    return 503 if isinstance(exc, CannotRead | CannotWrite) else 422


def sentence(exc: Exception) -> str:
    """What failed, as a sentence."""
    text = str(exc) or type(exc).__name__
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "?")) else ".")
