"""Builds what tells others, and keeps it telling."""

from __future__ import annotations

import asyncio
import logging
import random
import time

from cutover import app
from cutover.edge.post import open_post
from cutover.ports.notices import Notices
from cutover.service.notifying import Outlets, Teller
from cutover.settings import HOOKS_FILE, NOTICES_FILE, CutoverSettings
from cutover.storage.hooks_file import HooksFile
from cutover.storage.notices_file import NoticesFile
from cutover.storage.turn import FileTurn

_LOG = logging.getLogger(__name__)
_WAITS_S = 1.0
_AFTER_FAULT_S = 10.0


def hooks_file(settings: CutoverSettings) -> HooksFile:
    """Who is told."""
    turn = FileTurn(settings.var / "hooks.lock", time.monotonic, time.sleep)
    return HooksFile(settings.var / HOOKS_FILE, turn)


def notices_file(settings: CutoverSettings) -> NoticesFile:
    """How far that has come."""
    return NoticesFile(settings.var / NOTICES_FILE)


async def notify(settings: CutoverSettings, room_url: str = "") -> None:
    """Tell hooks until nobody wants it any more. Of several processes one does."""
    turn = FileTurn(settings.var / "notices.lock", time.monotonic, time.sleep)
    hooks, notices = hooks_file(settings), notices_file(settings)
    while True:
        if hooks.path.exists():
            with turn.take(wait_s=0) as is_ours:
                if is_ours:
                    await _tell(settings, hooks, notices, room_url)
        await asyncio.sleep(_WAITS_S)


async def _tell(
    settings: CutoverSettings, hooks: HooksFile, notices: Notices, room_url: str
) -> None:
    async with open_post() as post:
        outlets = Outlets(
            books=app.books(settings),
            hooks=hooks,
            notices=notices,
            post=post,
            lot=random.random,
            room_url=room_url,
        )
        try:
            await Teller(outlets).run()
        except Exception:  # noqa: BLE001 - logged below
            # Nobody's pages and nobody's steering end because a notice could not be sent.
            _LOG.exception("notices: ended in a fault of its own; begins again")
            await asyncio.sleep(_AFTER_FAULT_S)
