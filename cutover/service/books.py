"""Where the applied state lives, as one value for the use cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cutover.ports import AppliedTable, Ledger, Turn
from cutover.ports.outside import AskOutside

if TYPE_CHECKING:  # a rollback loads this module and asks no gate
    from cutover.core.load_gate import Loads


@dataclass(frozen=True, slots=True)
class Books:
    """What every step is taken with.

    Attributes:
        applied: the table in force.
        turn: whose it is to write.
        now: a clock, aware UTC.
        ask_outside: asks those that gates on data and webhooks name; None where nobody can,
            which lets no such gate pass.
        loads: the load tests of a domain that are kept, None for none; raises CannotRead.
    """

    applied: AppliedTable
    ledger: Ledger
    turn: Turn
    now: Callable[[], datetime]
    ask_outside: AskOutside | None = None
    loads: Callable[[str], Loads] | None = None
