"""The control room: pages, their JSON twins, and what keeps them live.

app = create_app(Board(Gatherer(asks, clock_s)), clock_s)
add_entrance(app, room)  # without it nobody is let in
"""

from __future__ import annotations

from cutover.api.entrance import add_entrance
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
    "add_entrance",
    "create_app",
    "probe_store",
]
