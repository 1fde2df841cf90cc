"""Follows sources of changes in tests: reads them, and mirrors what they tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from legacy_adapters.mapping.rows import Row, key_text
from legacy_adapters.mapping.versions import Position
from legacy_adapters.ports.capture import Batch, Change, ChangeSource, Snapshot, Transaction
from tests.contract.legacy_adapters.capture_labs import ITEM, PART


async def read_to(
    source: ChangeSource, end: Position, after: Position | None = None
) -> list[Transaction]:
    """Transactions behind a position and before another."""
    found: list[Transaction] = []
    async with asyncio.timeout(30), source.read(after) as batches:
        async for batch in batches:
            found += batch.transactions
            if batch.read_to >= end:
                return found
    raise AssertionError("a log without end has ended")


async def read_now(source: ChangeSource, after: Position | None = None) -> list[Transaction]:
    """Transactions behind a position up to now."""
    return await read_to(source, await source.here(), after)


def changes(found: Iterable[Transaction], *names: str) -> list[Change]:
    """All changes of the named tables, in their order."""
    return [
        change for transaction in found for change in transaction.changes if change.table in names
    ]


def told(found: Iterable[Transaction], *names: str) -> list[tuple[str, Row | None, Row | None]]:
    """Keys, rows before and rows after of all changes of the named tables, in their order."""
    return [(change.key, change.before, change.after) for change in changes(found, *names)]


def apply(state: dict[tuple[str, str], Row], found: Iterable[Transaction]) -> None:
    """Let a mirror of the tables follow."""
    for transaction in found:
        for key in [key for key in state if key[0] in transaction.truncated]:
            del state[key]
        for change in transaction.changes:
            if change.after is None:
                state.pop((change.table, change.key), None)
            else:
                state[change.table, change.key] = change.after


async def everything(source: ChangeSource, size: int = 1_000) -> dict[tuple[str, str], Row]:
    """All rows of ITEM and PART, page by page from one snapshot."""
    async with source.snapshot() as snapshot:
        return await pages(snapshot, size)


async def pages(snapshot: Snapshot, size: int) -> dict[tuple[str, str], Row]:
    found: dict[tuple[str, str], Row] = {}
    for table in (ITEM, PART):
        after = None
        while rows := await snapshot.page(table, after, size):
            found |= {(table.name, key_text(table, row)): row for row in rows}
            after = key_text(table, rows[-1])
    return found


async def next_names(batches: AsyncIterator[Batch]) -> list[str]:
    async for batch in batches:
        if batch.transactions:
            return [transaction.name for transaction in batch.transactions]
    raise AssertionError("a log without end has ended")
