"""Where the applied state lives, as one value for the use cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cutover.ports import AppliedTable, Ledger, Turn


@dataclass(frozen=True, slots=True)
class Books:
    """The applied file, the ledger, whose turn it is to write, and a clock (aware UTC)."""

    applied: AppliedTable
    ledger: Ledger
    turn: Turn
    now: Callable[[], datetime]
