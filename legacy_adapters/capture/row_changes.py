"""What one changed row means: the same for every database."""

from __future__ import annotations

from legacy_adapters.mapping.marks import APPLIED
from legacy_adapters.mapping.rows import Row, Table, key_text
from legacy_adapters.ports.capture import Change


def inserted(table: Table, after: Row) -> tuple[Change, ...]:
    """A row that came."""
    return (Change(table.name, key_text(table, after), None, after),)


def deleted(table: Table, before: Row) -> tuple[Change, ...]:
    """A row that went."""
    return (Change(table.name, key_text(table, before), before, None),)


def updated(table: Table, before: Row, after: Row) -> tuple[Change, ...]:
    """A row that changed: one change, or a deletion and an insertion if its key did."""
    old, new = key_text(table, before), key_text(table, after)
    if old == new:
        return (Change(table.name, new, before, after),)
    return (Change(table.name, old, before, None), Change(table.name, new, None, after))


def is_replicators(changes: tuple[Change, ...] | list[Change]) -> bool:
    """Whether the transaction of these changes is the replicator's own."""
    return any(change.table == APPLIED.name for change in changes)
