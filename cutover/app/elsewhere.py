"""Builds what asks the control room that BANYAN_ROOM names."""

from __future__ import annotations

from cutover.edge.room_client import RoomClient
from cutover.settings import CutoverSettings


def client(settings: CutoverSettings, actor: str | None) -> RoomClient:
    """That room. Who has a token is known by it, so only a name that was given is sent."""
    said = actor if settings.token else actor or settings.actor
    return RoomClient(settings.room, settings.token, said)
