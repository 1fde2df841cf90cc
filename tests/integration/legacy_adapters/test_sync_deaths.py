"""Whatever dies, repeats or comes late: in the end both stores tell the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from legacy_adapters.mapping.rows import Row, Table
from legacy_adapters.mapping.versions import NEVER, Version
from legacy_adapters.storage.stage_rows import Held, StageRows
from tests.fakes.toy_kinds import Doc, Part
from tests.fakes.toy_shop import ADDRESS, CUSTOMER, HOMES, LINE, OPTION, ORDER, TABLES, VISIT
from tests.support.toy_world import NAMES, World, make_template, world

pytestmark = pytest.mark.integration

PEOPLE, SALES = NAMES


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "core.sqlite3"
    asyncio.run(make_template(file))
    return file


class Fate:
    """Random writes, deaths, repetitions, late snapshots and flips."""

    def __init__(self, w: World, seed: int) -> None:
        self.w = w
        self.dice = random.Random(seed)
        self.born = 100
        self.snapshots: list[tuple[Table, Sequence[Row], Version]] = []

    async def strike(self, times: int) -> None:
        actions: list[tuple[int, Callable[[], Any]]] = [
            (10, self.shop_writes), (6, self.core_writes), (8, self.live), (6, self.die),
            (3, self.repeat), (3, self.look), (3, self.deliver), (2, self.flip),
        ]  # fmt: skip
        weights = [weight for weight, _ in actions]
        for _ in range(times):
            action = self.dice.choices(actions, weights)[0][1]
            await action()

    async def live(self) -> None:
        await self.w.live()
        self.w.hands.pass_by(1.0)

    async def die(self) -> None:
        """Set a trap and walk into it."""
        w, dice = self.w, self.dice
        trap = dice.randrange(9)
        if trap < 4:
            when, what = ("dies_before", "dies_after")[trap % 2], ("advance", "applied")[trap // 2]
            setattr(w.books, when, what)
        elif trap < 8:
            store = (w.legacy, w.core)[trap % 2]
            setattr(store, ("dies_before_commit", "dies_after_commit")[trap // 2 - 2], True)
        else:
            dice.choice([w.legacy.log, w.core.log]).dies_before_confirm = True
        await self.live()

    async def repeat(self) -> None:
        """Readers get what they had before once more, in other portions."""
        for log in (self.w.legacy.log, self.w.core.log):
            log.repeats, log.batch = self.dice.randrange(4), self.dice.randrange(1, 6)

    async def look(self) -> None:
        """Read a table as it is now; it arrives when it arrives."""
        log = self.w.legacy.log
        table = TABLES[self.dice.choice(sorted(TABLES))]
        rows = list(self.w.legacy.tables.get(table.name, {}).values())
        found = await self.w.books.checkpoint("legacy>core")
        term = found.terms[HOMES[table.name].domain][1] if found is not None else 0
        if rows and found is not None:
            # What the stream has read is in the snapshot; its place is a lower bound.
            order = min(found.position.order, log.end.order)
            self.snapshots.append((table, [dict(row) for row in rows], Version(term, order)))

    async def deliver(self) -> None:
        if self.snapshots:
            at = self.dice.randrange(len(self.snapshots))
            await self.w.stage.deliver(*self.snapshots[at])
            if self.dice.random() < 0.7:
                self.snapshots.pop(at)

    async def flip(self) -> None:
        await self.w.flip(self.dice.choice([PEOPLE, SALES]))

    def _number(self) -> int:
        self.born += 1
        return self.born

    def _some(self, table: Table) -> int | None:
        there = sorted(self.w.legacy.tables.get(table.name, {}))
        return int(self.dice.choice(there)) if there else None

    async def shop_writes(self) -> None:
        """One transaction of the shop's, if it may write."""
        dice, legacy = self.dice, self.w.legacy
        domain = dice.choice([PEOPLE, SALES])
        if not legacy.log.may_write(domain):
            return
        if domain == PEOPLE:
            who = self._some(CUSTOMER)
            if who is None or dice.random() < 0.4:
                key = self._number()
                legacy.write((CUSTOMER, str(key), {"id": key, "name": str(dice.random())}))
            elif dice.random() < 0.4:
                key = self._number()
                row: Row = {"id": key, "customer_id": who, "street": str(dice.random())}
                legacy.write((ADDRESS, str(key), row))
            else:
                legacy.write((CUSTOMER, str(who), {"id": who, "name": str(dice.random())}))
            return
        which = self._some(ORDER)
        if which is None or dice.random() < 0.4:
            key, bill = self._number(), self._number()
            legacy.write(
                (ORDER, str(key), {"id": key, "customer_id": self._some(CUSTOMER),
                                   "billing_id": bill, "total": 1, "memo": str(dice.random())}),
                (TABLES["shop_billing"], str(bill), {"id": bill, "street": "x"}),
            )  # fmt: skip
        elif dice.random() < 0.2:
            self._delete_order(which)
        else:
            key = self._number()
            legacy.write(
                (OPTION, str(key), {"id": key, "line_id": key, "word": "w"}),
                (LINE, str(key), {"id": key, "order_id": which, "what": "b", "quantity": 1}),
            )
        legacy.write((VISIT, "1", {"id": 1, "seen": str(dice.random())}))

    def _delete_order(self, which: int) -> None:
        tables = self.w.legacy.tables
        lines = [k for k, one in tables.get("shop_line", {}).items() if one["order_id"] == which]
        options = [
            k for k, one in tables.get("shop_option", {}).items() if str(one["line_id"]) in lines
        ]
        bill = tables["shop_order"][str(which)]["billing_id"]
        self.w.legacy.write(
            *[(OPTION, key, None) for key in options], *[(LINE, key, None) for key in lines],
            (ORDER, str(which), None), (TABLES["shop_billing"], str(bill), None),
        )  # fmt: skip

    async def core_writes(self) -> None:
        """One transaction of the core's, if it may write."""
        dice, core = self.dice, self.w.core
        domain = dice.choice([PEOPLE, SALES])
        if not core.log.may_write(domain):
            return
        kind = "customer" if domain == PEOPLE else "order"
        docs = list((await core.docs(kind)).values())
        part = Part(UUID(int=self._number()), f"p:{dice.randrange(9)}")
        if not docs or dice.random() < 0.3:
            await core.write(kind, Doc(UUID(int=self._number()), "5", parts=(part,)))
        elif dice.random() < 0.2 and kind == "order":
            await core.write(kind, gone=[dice.choice(docs).id])
        else:
            doc = dice.choice(docs)
            parts = tuple(sorted((*doc.parts[1:], part), key=lambda one: one.id))
            text = str(dice.randrange(99))
            await core.write(kind, msgspec.structs.replace(doc, text=text, parts=parts))


async def _end(template: Path, folder: Path, seed: int, times: int = 120) -> tuple[Any, Any]:
    async with world(template, folder) as w:
        fate = Fate(w, seed)
        await fate.strike(times)
        for one in fate.snapshots:
            await w.stage.deliver(*one)
        await w.settle()
        assert await w.stage.rogues(5) == []
        assert await w.stage.parked(5) == []
        return _sorted(await w.held()), _sorted(await w.mapped())


def _sorted(found: dict[str, dict[UUID, Doc]]) -> dict[str, dict[UUID, Doc]]:
    """Parts are in the order of the legacy's numbers there and of ids in the core: as sets."""

    def ordered(doc: Doc) -> Doc:
        parts = tuple(sorted(doc.parts, key=lambda one: one.id))
        return msgspec.structs.replace(doc, parts=parts)

    return {kind: {uid: ordered(doc) for uid, doc in docs.items()} for kind, docs in found.items()}


@pytest.mark.parametrize("seed", range(12))
def test_whatever_dies_repeats_or_comes_late_both_stores_tell_the_same(
    template: Path, tmp_path: Path, seed: int
) -> None:
    held, mapped = asyncio.run(_end(template, tmp_path, seed))

    assert held == mapped
    assert any(mapped.values())


@pytest.mark.parametrize("broken", ["versions", "tombstones"])
def test_without_versions_or_tombstones_they_would_not(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """A check that cannot fail proves nothing."""
    if broken == "versions":
        put = StageRows.put

        async def over(self: StageRows, entries: Sequence[Any]) -> None:
            names = "tbl pk"
            await self._bulk.run(
                "UPDATE mig_stage SET term = 0, position = 0 WHERE (tbl, pk) IN"
                " (SELECT tbl, pk FROM {given})", names, [one.name for one in entries],
            )  # fmt: skip
            await put(self, entries)

        held = StageRows.held

        async def ever_old(self: StageRows, names: Sequence[Any]) -> Any:
            found = await held(self, names)
            return {
                name: Held(one.key, one.link, NEVER, one.is_deleted) for name, one in found.items()
            }

        monkeypatch.setattr(StageRows, "put", over)
        monkeypatch.setattr(StageRows, "held", ever_old)
    else:
        put = StageRows.put

        async def forgetful(self: StageRows, entries: Sequence[Any]) -> None:
            await put(self, entries)
            await self._bulk.plain("UPDATE mig_stage SET term = 0, position = 0 WHERE is_deleted")

        monkeypatch.setattr(StageRows, "put", forgetful)

    async def diverges() -> bool:
        for seed in range(12):
            try:
                held, mapped = await _end(template, tmp_path, seed)
            except AssertionError:
                return True
            if held != mapped:
                return True
        return False

    assert asyncio.run(diverges())
