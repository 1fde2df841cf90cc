"""The control room: pages, their JSON twins, and what keeps them live.

app = create_app(Board(Gatherer(asks, clock_s)), clock_s)
"""

from __future__ import annotations

from cutover.api.gather import Asks, Gatherer, SourceAway
from cutover.api.live import Board
from cutover.api.sidedoor import SideDoor, probe_store
from cutover.api.web import create_app

__all__ = [
    "Asks",
    "Board",
    "Gatherer",
    "SideDoor",
    "SourceAway",
    "create_app",
    "probe_store",
]
