"""The data half of a migration, written into a real core's database and a real evidence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from legacy_adapters.storage import upgrade_sync
from legacy_adapters.storage.tables import backfill, flips, streams
from new_core.storage import make_engine
from shadow_compare.core.drift_class import DriftClass
from shadow_compare.core.drift_record import Drift, DriftSample, drift_id
from shadow_compare.core.reconcile_pass import PassKind, PassRecord, Tally
from shadow_compare.storage.engine import parse, writer_engine
from shadow_compare.storage.reconcile_packing import pack_drift, pack_pass
from shadow_compare.storage.reconcile_tables import drifts, passes, samples
from shadow_compare.storage.schema import migrate

FORWARD, REVERSE = "legacy>core", "core>legacy"
_LOT = 500


def in_thread(work: Callable[[], Awaitable[None]]) -> None:
    """Run it in a loop of its own: a browser's driver keeps one running in this thread."""

    async def whole() -> None:
        await work()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(whole())).result()


class SeededData:
    """Writes as streams, coordinators, backfills and passes do. `now` is when all of it is."""

    def __init__(self, var: Path, now: datetime | None = None) -> None:
        self.core = f"sqlite+aiosqlite:///{var / 'core.sqlite3'}"
        self.evidence = f"sqlite+aiosqlite:///{var / 'evidence.sqlite3'}"
        self.now = now or datetime.now(UTC)

    async def install(self, owners: dict[str, tuple[str, int]]) -> None:
        """Both streams carry; all domains are owned as told and copied."""
        engine = make_engine(self.core)
        await upgrade_sync(engine)
        terms = json.dumps({name: list(one) for name, one in owners.items()})
        at = {"terms": terms, "source_at": self.now, "moved_at": self.now, "problem": ""}
        rows = [
            {"stream": FORWARD, "position": 184_203_991, "token": "a", "lag_ms": 38.0, **at},
            {"stream": REVERSE, "position": 9_401_224, "token": "b", "lag_ms": 112.0, **at},
        ]
        async with engine.begin() as connection:
            for row in rows:
                row["beat_at"] = self.now
                await connection.execute(sa.insert(streams.checkpoint).values(row))
            for name, (owner, term) in owners.items():
                for stream in (FORWARD, REVERSE):
                    await connection.execute(
                        sa.insert(streams.progress).values(
                            stream=stream, domain=name, position=9, applied=41_200, failed=0,
                            applied_at=self.now,
                        )
                    )  # fmt: skip
                await connection.execute(
                    sa.insert(flips.domain).values(
                        domain=name, phase="owned", owner=owner, term=term, flip=0, holder="",
                        beat=0,
                    )
                )  # fmt: skip
                await self._copied(connection, name, 120_400)
        await engine.dispose()

    async def _copied(self, connection: Any, name: str, rows: int) -> None:
        began = self.now - timedelta(days=2)
        await connection.execute(
            sa.insert(backfill.run).values(
                domain=name, term=1, position=1, total=rows, started_at=began,
                finished_at=began + timedelta(minutes=9),
            )
        )  # fmt: skip
        await connection.execute(sa.insert(backfill.part).values(_part(name, rows)))

    async def change(self, *statements: sa.Executable) -> None:
        """Run statements on the core's database."""
        engine = make_engine(self.core)
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(statement)
        await engine.dispose()

    async def copying(self, name: str, rows: int, total: int, *, for_s: float) -> None:
        """A backfill that runs."""
        began = self.now - timedelta(seconds=for_s)
        run, part = backfill.run.c, backfill.part.c
        await self.change(
            sa.update(backfill.run)
            .where(run.domain == name)
            .values(started_at=began, finished_at=None, total=total),
            sa.update(backfill.part).where(part.domain == name).values(rows=rows),
        )

    async def flip(self, number: int, domain: str, **more: Any) -> None:
        """A flip; without `outcome` it is under way."""
        began = more.pop("began_at", self.now - timedelta(hours=2))
        froze_us = more.get("freeze_us")
        ended = None if not more.get("outcome") else began + timedelta(seconds=2)
        values = {
            "id": number, "domain": domain, "kind": "flip", "source": "legacy", "target": "core",
            "term": 3, "actor": "platform", "reason": f"flip of {domain} to core",
            "facts": {"backfilled": True, "rogues": 0, "transaction_s": 0.0}, "began_at": began,
            "ended_at": ended, "outcome": "", "freeze_us": froze_us, "problem": "",
        }  # fmt: skip
        await self.change(sa.insert(flips.flip).values(values | more))

    async def journal(self, number: int, lines: Sequence[tuple[str, str, float, Any]]) -> None:
        """Lines of a flip: step, mark, seconds after two hours ago, facts."""
        began = self.now - timedelta(hours=2)
        rows = [
            {
                "flip": number,
                "step": step,
                "mark": mark,
                "holder": "app-1:4120:9c41d0aa",
                "facts": facts,
                "at": began + timedelta(seconds=after_s),
            }
            for step, mark, after_s, facts in lines
        ]
        await self.change(sa.insert(flips.journal).values(rows))

    async def park(self, domain: str, kind: str, keys: Sequence[str], reason: str) -> None:
        since_us = int((self.now - timedelta(minutes=40)).timestamp() * 1e6)
        rows = [
            {
                "stream": FORWARD, "kind": kind, "key": key, "domain": domain, "reason": reason,
                "is_waiting": False, "term": 3, "position": 1, "since_us": since_us,
                "tried_us": since_us,
            }
            for key in keys
        ]  # fmt: skip
        await self.change(sa.insert(streams.parked).values(rows))

    async def rogue(self, domain: str, side: str, table: str, keys: Sequence[str]) -> None:
        at_us = int((self.now - timedelta(minutes=3)).timestamp() * 1e6)
        rows = [
            {"side": side, "domain": domain, "tbl": table, "pk": key, "position": 7,
             "at_us": at_us, "settled_us": None}
            for key in keys
        ]  # fmt: skip
        await self.change(sa.insert(streams.rogue).values(rows))

    async def passed(self, domain: str, owner: str, tally: Tally, *, clean: bool) -> None:
        """A whole pass that ended."""
        ended_s = self.now.timestamp() - 4_000
        record = PassRecord(
            id=f"p-{domain}-{owner}-{clean}", kind=PassKind.FULL, domain=domain, owner=owner,
            from_order=1, started_s=ended_s - 90, ended_s=ended_s, expected=tally.checked,
            tally=tally, is_clean=clean,
        )  # fmt: skip
        await self._evidence([(passes, [pack_pass(record, ended_s)])])

    async def running(self, domain: str, owner: str, checked: int, expected: int) -> None:
        """A pass that has not ended."""
        now_s = self.now.timestamp()
        record = PassRecord(
            id=f"r-{domain}", kind=PassKind.CONTINUOUS, domain=domain, owner=owner, from_order=1,
            started_s=now_s - 60, ended_s=None, expected=expected, tally=Tally(checked),
            is_clean=False, holder="app-1/77/aa",
        )  # fmt: skip
        await self._evidence([(passes, [pack_pass(record, now_s)])])

    async def drift(self, found: Sequence[Drift], held: Sequence[DriftSample] = ()) -> None:
        """Differences, all with the same fields held."""
        rows = [
            {"drift_id": one.id, "n": n, "path": it.path, "owner": it.owner, "other": it.other}
            for one in found
            for n, it in enumerate(held)
        ]
        await self._evidence([(drifts, [pack_drift(one) for one in found]), (samples, rows)])

    async def _evidence(self, wanted: Sequence[tuple[sa.Table, list[dict[str, Any]]]]) -> None:
        engine: AsyncEngine = writer_engine(parse(self.evidence))
        await migrate(engine)
        async with engine.begin() as connection:
            for table, rows in wanted:
                for at in range(0, len(rows), _LOT):
                    await connection.execute(sa.insert(table), rows[at : at + _LOT])
        await engine.dispose()


def a_drift(domain: str, key: str, now: datetime, drift: DriftClass = DriftClass.VALUE) -> Drift:
    """An open difference of an order with money at stake."""
    first_s = now.timestamp() - 9_000
    return Drift(
        id=drift_id(domain, "order", key), domain=domain, kind="order", key=key, core_id="",
        owner="legacy", drift=drift, fields=("$.lines[*].price", "$.total"),
        stake=(4_999 + int(key), "EUR"), note="", first_s=first_s, last_s=now.timestamp() - 30,
    )  # fmt: skip


def _part(name: str, rows: int) -> dict[str, Any]:
    return {
        "domain": name, "tbl": f"{name}_main", "number": 0, "place": 0, "after": None,
        "up_to": None, "last": None, "rows": rows, "is_finished": True,
    }  # fmt: skip


WHOLE_FLIP = [
    ("preflight", "intent", 0.0, {}),
    ("preflight", "done", 0.4, {}),
    ("lease", "intent", 0.41, {}),
    ("lease", "done", 0.42, {}),
    ("hold", "intent", 0.42, {}),
    ("hold", "done", 0.45, {"in_flight": 3, "waiting": 1}),
    ("fence", "intent", 0.45, {}),
    ("fence", "done", 0.49, {"waited_s": 0.02, "term": 4}),
    ("catch_up", "intent", 0.49, {}),
    ("catch_up", "done", 0.55, {"barrier": 4}),
    ("verify", "intent", 0.55, {}),
    ("verify", "done", 0.6, {"compared": 214, "problems": []}),
]


async def seed_shop(data: SeededData) -> None:
    """Customers on the core, orders blocked by differences, a catalog that is copied."""
    owners = {"catalog": ("legacy", 1), "customers": ("core", 5), "orders": ("legacy", 3)}
    await data.install(owners)
    await data.copying("catalog", 48_120, 211_000, for_s=95)
    for name, owner in (("customers", "core"), ("catalog", "legacy"), ("orders", "legacy")):
        clean = Tally(checked=12_040, rows=40_000)
        await data.passed(name, owner, clean, clean=True)
        if name == "orders":
            worse = replace(clean, different=64)
            await data.passed(name, "legacy", worse, clean=False)
    await data.running("orders", "legacy", 6_100, 12_104)
    many = [a_drift("orders", str(n), data.now) for n in range(100_001, 100_061)]
    many += [
        a_drift("orders", str(n), data.now, DriftClass.MISSING_CORE) for n in range(90_001, 90_005)
    ]
    held = [
        DriftSample("$.total", '"49.99 EUR"', '"49.90 EUR"'),
        DriftSample("$.email", "[hmac:5f2b7c90aa41]", "[hmac:0c11d2e4f5a6]"),
    ]
    await data.drift(many, held)
    keys = [str(n) for n in range(100_007, 100_010)]
    reason = "order_line 77: product 991 is not known to the core; it may come yet"
    await data.park("orders", "order", keys, reason)
    await data.rogue("customers", "legacy", "customer_address", ["88", "89"])
    await data.flip(
        1, "customers", outcome="rehearsed", kind="rehearsal", freeze_us=212_000,
        began_at=data.now - timedelta(hours=5),
    )  # fmt: skip
    await data.flip(2, "customers", outcome="committed", freeze_us=184_300)
    await data.flip(
        3, "orders", outcome="aborted", freeze_us=2_950_000,
        problem="the check found 2 differences in what was touched since the last clean pass",
    )  # fmt: skip
    rest = [
        ("numbers", "intent", 0.6, {}), ("numbers", "done", 0.61, {"against": []}),
        ("commit", "intent", 0.61, {}), ("commit", "done", 0.62, {}),
        ("grant", "intent", 0.62, {}), ("grant", "done", 0.63, {"term": 5}),
        ("release", "intent", 0.63, {}), ("release", "done", 0.64, {"waited": 11}),
        ("watch", "intent", 0.7, {}),
        ("watch", "done", 600.7, {"broken": [], "answers": 12_004, "errors": 1}),
    ]  # fmt: skip
    await data.journal(2, [*WHOLE_FLIP, *rest])
    await data.journal(3, [*WHOLE_FLIP[:-1], ("verify", "failed", 3.3, {
        "compared": 214, "problems": ["order 100007 differs", "order 100008 differs"],
    }), ("abort", "intent", 3.3, {}), ("abort", "done", 3.31, {})])  # fmt: skip
