"""How fast two sides of one table are compared, and in how much memory.

A store of two SQLite files with a row for each aggregate, and the real passes over them:
python -m loadtests.bench_reconcile --rows 1000000 --workers 2
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from uuid import UUID, uuid5

import msgspec

from legacy_adapters.mapping.versions import Side
from shadow_compare.core.drift_class import Classifier, Clues
from shadow_compare.core.drift_sample import hidden
from shadow_compare.core.reconcile_judge import OtherState, OwnerState
from shadow_compare.core.reconcile_pass import PassKind, PassRecord, Tally
from shadow_compare.core.reconcile_rounds import Patience
from shadow_compare.service.reconciling import PassWish, Reconciler
from shadow_compare.service.reconciling_looks import Looker
from shadow_compare.service.reconciling_stretch import Way
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.reconcile_books import SqlReconcileBooks
from shadow_compare.storage.schema import migrate

_SPACE = UUID(int=7)
_KIND = "row"
_COLUMNS = "id, email, status, total_minor, is_gift, placed_us, note"


class Row(msgspec.Struct, frozen=True):
    """What both sides hold."""

    id: UUID
    email: str | None
    status: str
    total_minor: int
    is_gift: bool
    placed_us: int
    note: str | None


class OneToOne:
    """Implements ports.reconciling.ComparedSides over two files of one table; nothing moves."""

    domain, owner, kinds = "rows", Side.LEGACY, (_KIND,)
    restless: frozenset[str] = frozenset()

    def __init__(self, folder: Path) -> None:
        self.legacy, self.core = folder / "legacy.sqlite3", folder / "core.sqlite3"

    def make(self, rows: int, different: Collection[int]) -> None:
        """Fill both files; these keys differ by a cent."""
        for file in (self.legacy, self.core):
            with closing(sqlite3.connect(file)) as connection:
                connection.execute(
                    "CREATE TABLE rows (id INTEGER PRIMARY KEY, email, status, total_minor,"
                    " is_gift, placed_us, note)"
                )
                own = different if file == self.core else ()
                connection.executemany(
                    "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?)", _rows(rows, own)
                )
                connection.commit()

    @asynccontextmanager
    async def view(self) -> AsyncIterator[OneToOneView]:
        with _opened(self.legacy) as connection:
            yield OneToOneView(connection)

    def classifier(self, kind: str) -> Classifier:
        assert kind == _KIND  # noqa: S101 - the only one
        return Classifier(self.owner, lambda row: (row.total_minor, "EUR"))

    async def passed(self) -> int:
        return 1

    async def through(self) -> int:
        return 1

    async def waiting(self, _kind: str, _keys: Collection[str]) -> frozenset[str]:
        return frozenset()

    async def unstaged(self, _kind: str, _owner: Sequence[OwnerState]) -> frozenset[str]:
        return frozenset()

    async def other(self, _kind: str, owner: Sequence[OwnerState]) -> Mapping[str, OtherState]:
        with _opened(self.core) as connection:
            found = _some(connection, [one.key for one in owner])
        return {key: OtherState(row, 1) for key, row in found.items()}

    async def across(
        self, _kind: str, after: str | None, size: int
    ) -> Sequence[tuple[str, str | None]]:
        with _opened(self.core) as connection:
            rows = connection.execute(
                "SELECT id FROM rows WHERE id > ? ORDER BY id LIMIT ?", (int(after or 0), size)
            )
            return [(str(key), str(key)) for (key,) in rows]

    async def changed(
        self, _kind: str, _behind: int, _after: str | None, _size: int
    ) -> Sequence[tuple[str, str]]:
        return ()

    async def clues(
        self, _kind: str, pairs: Sequence[tuple[OwnerState, OtherState]]
    ) -> Mapping[str, Clues]:
        return {owner.key: Clues() for owner, _ in pairs}

    async def take_across(self, _kind: str, keys: Collection[str], _reason: str) -> int:
        return len(keys)


class OneToOneView:
    """Implements ports.reconciling.OwnerView."""

    low = 1

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def high(self) -> int:
        return 1

    async def page(
        self, _kind: str, after: str | None, size: int, *, to: str | None = None
    ) -> Sequence[OwnerState]:
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM rows WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",  # noqa: S608
            (int(after or 0), int(to or 1 << 62), size),
        )
        return [OwnerState(str(row[0]), _id(row[0]), _document(row), rows=1) for row in rows]

    async def some(self, _kind: str, keys: Collection[str]) -> Mapping[str, OwnerState]:
        found = _some(self._connection, keys)
        return {key: OwnerState(key, _id(int(key)), found.get(key), rows=1) for key in keys}

    async def present(self, _kind: str, keys: Collection[str]) -> frozenset[str]:
        asked = json.dumps([int(key) for key in keys])
        rows = self._connection.execute(
            "SELECT id FROM rows WHERE id IN (SELECT value FROM json_each(?))", (asked,)
        )
        return frozenset(str(key) for (key,) in rows)

    async def count(self, _kind: str) -> int:
        return int(self._connection.execute("SELECT COUNT(*) FROM rows").fetchone()[0])

    async def splits(self, _kind: str, parts: int) -> Sequence[str]:
        most = int(self._connection.execute("SELECT MAX(id) FROM rows").fetchone()[0])
        return [str(most * part // parts) for part in range(1, parts)]


class Quiet:
    """Watches nothing."""

    def begin(self, record: PassRecord) -> None: ...
    def moved(self, tally: Tally) -> None: ...


def _rows(rows: int, different: Collection[int]) -> Iterator[tuple[object, ...]]:
    for key in range(1, rows + 1):
        note = None if key % 10 == 0 else f"note {key}"
        total = key * 13 % 100_000 + (500 if key in different else 0)
        yield key, f"u{key}@shop.example", "paid", total, key % 2, key * 1_000_000, note


def _some(connection: sqlite3.Connection, keys: Collection[str]) -> dict[str, Row]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM rows WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608
        (json.dumps([int(key) for key in keys]),),
    )
    return {str(row[0]): _document(row) for row in rows}


def _document(row: tuple[object, ...]) -> Row:
    return msgspec.convert(
        dict(zip(Row.__struct_fields__, (_id(row[0]), *row[1:4], bool(row[4]), *row[5:]),
                 strict=True)),
        Row,
    )  # fmt: skip


def _id(key: object) -> UUID:
    return uuid5(_SPACE, str(key))


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        yield connection


async def bench(rows: int, workers: int, folder: Path) -> dict[str, object]:
    """Compare so many rows, of which three differ.

    Returns: rows a second over both legs, seconds, seconds of CPU, and peak memory in MiB of this
    process.
    """
    sides, wanted = OneToOne(folder), {1, rows // 2, rows}
    sides.make(rows, wanted)
    engine = writer_engine(parse(f"sqlite+aiosqlite:///{folder / 'evidence.sqlite3'}"))
    try:
        await migrate(engine)
        wall_s = time.time  # noqa: TID251 - a bench
        looker = Looker(sides, time.monotonic, wall_s, hidden)
        way = Way(Patience(), chunk=1_000)
        books = SqlReconcileBooks(engine, wall_s)
        began_s, busy_s = time.monotonic(), time.process_time()
        wish = PassWish("bench", PassKind.FULL, "bench", workers)
        ended = await Reconciler(looker, books, way, Quiet()).run(wish)
        took_s, busy_s = time.monotonic() - began_s, time.process_time() - busy_s
        found = {int(one.key) for one in await books.drifts("rows")}
    finally:
        await engine.dispose()
    if found != wanted or ended.tally.checked != rows:
        raise SystemExit(f"found {sorted(found)}, not {sorted(wanted)}: {ended.tally}")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    return {
        "rows": rows,
        "workers": workers,
        "elapsed_s": round(took_s, 1),
        "rows_per_s": round(rows / took_s),
        "cpu_s": round(busy_s, 1),
        "peak_mib": round(peak_mib),
    }


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description="Bench of reconciliation over a 1:1 table.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=1)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(bench(wanted.rows, wanted.workers, Path(folder)))))


if __name__ == "__main__":
    main()
