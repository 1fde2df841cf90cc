"""Debezium's events put together to transactions, as far as they say it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from legacy_adapters.capture.debezium_events import Event
from legacy_adapters.capture.row_changes import is_replicators
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Change, Transaction


def position_at(sequence: int) -> Position:
    """The place behind a message of the stream."""
    return Position(sequence, str(sequence))


@dataclass
class Grouping:
    """Takes events in the stream's order and gives transactions.

    Events of one transaction stand together in the stream. Its end is told by an END message
    (`provide.transaction.metadata = true`), by the first event of another one, or by silence.

    Attributes:
        open: events of the transaction that may go on, with their places.
        read_to: behind all that is not open.
    """

    read_to: int
    open: list[tuple[int, Event]] = field(default_factory=list)
    _own: str = ""

    def add(self, sequence: int, event: Event | None) -> list[Transaction]:
        """The next message; None for one that concerns nobody. Returns what ended by it."""
        found: list[Transaction] = []
        if event is None:
            if not self.open:
                self.read_to = sequence
            return found
        if self.open and self.open[-1][1].transaction != event.transaction:
            found += self.end()
        if event.ends is None:
            self.open.append((sequence, event))
        if event.ends is not None or not event.transaction or event.is_snapshot:
            found += self.end()
            self.read_to = sequence
        return found

    def end(self) -> list[Transaction]:
        """What is open has ended."""
        taken, self.open = self.open, []
        if not taken:
            return []
        self.read_to = max(self.read_to, taken[-1][0])
        events = [event for _, event in taken]
        changes = _in_order(events)
        name = events[-1].transaction
        # 1. A transaction of the replicator's falls silent and is given out in two parts, 2. the
        # second one has no row of APPLIED any more, 3. and would be sent back.
        is_ours = is_replicators(changes) or bool(name and name == self._own)
        if is_ours:
            self._own = name
        return [
            Transaction(
                position_at(taken[-1][0]),
                name or str(taken[-1][0]),
                events[-1].at,
                is_ours,
                changes,
                tuple(dict.fromkeys(one for event in events for one in event.truncated)),
                tuple(dict.fromkeys(one for event in events for one in event.altered)),
            )
        ]


def _in_order(events: list[Event]) -> tuple[Change, ...]:
    """Changes; those of a table that was emptied after them are gone with it."""
    changes: list[Change] = []
    for event in events:
        if event.truncated:
            changes = [one for one in changes if one.table not in event.truncated]
        changes += event.changes
    return tuple(changes)
