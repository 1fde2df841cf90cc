"""A database's snapshot with its place among Debezium's events."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from legacy_adapters.mapping.rows import Row, Table
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Snapshot


class DebeziumSnapshot:
    """As the snapshot inside, whose own places mean nothing in the stream."""

    def __init__(self, inner: Snapshot, low: Position, high: Position) -> None:
        self._inner = inner
        self._low = low
        self._high = high

    @property
    def low(self) -> Position:
        return self._low

    @property
    def high(self) -> Position:
        return self._high

    async def count(self, table: Table) -> int:
        """As Snapshot.count."""
        return await self._inner.count(table)

    async def page(
        self, table: Table, after: str | None, size: int, *, to: str | None = None
    ) -> Sequence[Row]:
        """As Snapshot.page."""
        return await self._inner.page(table, after, size, to=to)

    async def some(self, table: Table, column: str, values: Collection[str]) -> Sequence[Row]:
        """As Snapshot.some."""
        return await self._inner.some(table, column, values)

    async def splits(self, table: Table, parts: int) -> Sequence[str]:
        """As Snapshot.splits."""
        return await self._inner.splits(table, parts)
