"""A gate that asks nobody: what a test of something else puts before an app."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from cutover.api.guarding import NOBODY
from cutover.api.visiting import Visitor, visited_by
from cutover.core.access import Who


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Lets everybody in as somebody.

    Attributes:
        who: without a session; by default whoever asks a room that knows no people.
    """

    app: ASGIApp
    who: Who = NOBODY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {}).update(who=self.who, goes_on=lambda: True)
        with visited_by(Visitor(self.who)):
            await self.app(scope, receive, send)
