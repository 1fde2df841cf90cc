"""A machine that does everything to stock in any order: the books stay true, and promises kept."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from new_core.domain.reservation import InsufficientStock, Owner, Want
from new_core.domain.stock import StockLevel, StockPolicy
from new_core.domain.stock_movement import MovementKind
from new_core.errors import Conflict
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.inventory import commit_reservations, release_reservations, reserve
from new_core.service.reconciling import sweep_overdue
from new_core.service.reservation_shipping import ship_reservations
from new_core.service.stocking import Move, count_stock, move_stock, set_policy, transfers
from new_core.storage import SqlDatabase
from new_core.storage import tables as t
from new_core.storage.ids import new_id
from tests.support.databases import fresh_database
from tests.support.stockroom import (
    BOOKS_OFF,
    THEN,
    cart,
    doing,
    level,
    opened,
    place,
    stock_up,
    tell,
    variant,
)

pytestmark = pytest.mark.integration

T = TypeVar("T")
A, B, SET = range(3)
LEVELS = (level(A), level(A, 1), level(B))
COUNTS: list[list[int | None]] = [[4, 3], [5], []]
BUNDLES = {SET: {A: 2, B: 1}}
HOUR = timedelta(hours=1)
owners = st.integers(1, 3).map(cart)
levels = st.sampled_from(LEVELS)
wishes = st.dictionaries(st.sampled_from((A, B, SET)), st.integers(1, 4), min_size=1, max_size=3)

_AT_FIRST = """
UPDATE stock_level SET safety = 0, backorder_limit = 0, shortfall = 0, reserved = NULL,
    reserved_elsewhere = 0, on_hand = NULL
"""
_ACTIVE = ("held", "committed")


@dataclass(frozen=True, slots=True)
class Look:
    """All that the tables say, read beside the stores."""

    levels: dict[UUID, sa.RowMapping]
    active: list[sa.RowMapping]
    off: int

    def free_of(self, owner: UUID, now: datetime) -> dict[UUID, int]:
        """Units by thing that this owner may have: all that is not promised to others."""
        found = dict.fromkeys((variant(A), variant(B)), 0)
        for ident, row in self.levels.items():
            others = sum(
                one["quantity"] for one in self.active
                if one["stock_level_id"] == ident and one["owner_id"] != owner
                and (one["expires_at"] is None or one["expires_at"] > now)
            )  # fmt: skip
            if row["on_hand"] is not None:
                limit = row["on_hand"] + row["backorder_limit"] - row["safety"]
                found[row["variant_id"]] += max(0, limit - others - row["reserved_elsewhere"])
        return found

    def has(self, owner: UUID) -> dict[UUID, int]:
        """Units by thing that an owner has."""
        found: dict[UUID, int] = {}
        for one in self.active:
            if one["owner_id"] == owner:
                thing = one["variant_id"]
                found[thing] = found.get(thing, 0) + one["quantity"]
        return found


class Stockroom(RuleBasedStateMachine):
    """Three carts, two things in three places, a bundle of both, and a clock.

    Attributes:
        promised: what carts were told that they have, and until when.
    """

    url: ClassVar[str]
    clean: ClassVar[Path | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.after = timedelta(0)
        self.promised: dict[Owner, tuple[dict[UUID, int], timedelta | None]] = {}
        self.runner.run(_clean(self.url, self.clean))
        self.database = self.runner.run(_opened(self.url))

    @override
    def teardown(self) -> None:
        self.runner.run(self.database.dispose())
        self.runner.close()

    def do(self, act: Callable[[UnitOfWork, Doing], Coroutine[Any, Any, T]]) -> T:
        """One transaction."""

        async def acted() -> T:
            async with self.database.writing() as uow:
                found = await act(uow, doing(self.after))
                await uow.commit()
                return found

        return self.runner.run(acted())

    def look(self) -> Look:
        async def looked() -> Look:
            async with self.database.reading() as uow:
                connection = uow.stock._connection
                rows = (await connection.execute(sa.select(t.stock_level))).mappings().all()
                held = sa.select(t.reservation).where(t.reservation.c.state.in_(_ACTIVE))
                active = (await connection.execute(held)).mappings().all()
                off = (await connection.execute(sa.text(BOOKS_OFF))).all()
            return Look({row["id"]: row for row in rows}, list(active), len(off))

        return self.runner.run(looked())

    @rule(owner=owners, wished=wishes, hours=st.sampled_from((None, 1, 2)))
    def reserve(self, owner: Owner, wished: dict[int, int], hours: int | None) -> None:
        needed: dict[UUID, int] = {}
        for n, units in wished.items():
            for part, each in {A: 2, B: 1}.items() if n == SET else ((n, 1),):
                needed[variant(part)] = needed.get(variant(part), 0) + units * each
        free = self.look().free_of(owner.id, THEN + self.after)
        wants = [Want(variant(n), units) for n, units in wished.items()]
        known = owner in self.promised and self.promised[owner][1] is None
        until = None if hours is None or known else self.after + hours * HOUR

        async def act(uow: UnitOfWork, now: Doing) -> None:
            expires_at = None if until is None else THEN + until
            await reserve(uow, owner, wants, now, expires_at=expires_at)

        if all(free[one] >= units for one, units in needed.items()):
            self.do(act)
            self.promised[owner] = (needed, until)
        else:
            with pytest.raises(InsufficientStock):
                self.do(act)

    @rule(owner=owners)
    def commit(self, owner: Owner) -> None:
        lost = owner in self.promised and not self.is_kept(owner)
        had = self.promised.get(owner, ({}, None))[0]
        looked = self.look()
        free = looked.free_of(owner.id, THEN + self.after)

        async def act(uow: UnitOfWork, now: Doing) -> None:
            await commit_reservations(uow, owner, now)

        # What nobody swept is as good as before, even on a shelf that is short by now.
        if lost and looked.has(owner.id) != had and any(free[v] < n for v, n in had.items()):
            with pytest.raises(InsufficientStock):
                self.do(act)
            return
        self.do(act)
        if owner in self.promised:
            self.promised[owner] = (had, None)

    @rule(owner=owners)
    def release(self, owner: Owner) -> None:
        async def act(uow: UnitOfWork, now: Doing) -> None:
            await release_reservations(uow, owner, "changed their mind", now)

        self.do(act)
        self.promised.pop(owner, None)

    @rule(owner=owners)
    def ship(self, owner: Owner) -> None:
        looked = self.look()
        mine = [r for r in looked.active if r["owner_id"] == owner.id]
        ready = [r for r in mine if r["state"] == "committed"]
        there = all(
            (looked.levels[r["stock_level_id"]]["on_hand"] or r["quantity"]) >= r["quantity"]
            and looked.levels[r["stock_level_id"]]["on_hand"] != 0
            for r in ready
        )

        async def act(uow: UnitOfWork, now: Doing) -> None:
            await ship_reservations(uow, owner, now)

        if not there:
            with pytest.raises(Conflict):
                self.do(act)
            return
        self.do(act)
        for row in ready:
            units = self.promised[owner][0]
            units[row["variant_id"]] -= row["quantity"]
        if ready:
            left = {v: n for v, n in self.promised[owner][0].items() if n}
            if left:
                self.promised[owner] = (left, self.promised[owner][1])
            else:
                del self.promised[owner]

    @rule(minutes=st.sampled_from((10, 30, 60)))
    def wait(self, minutes: int) -> None:
        self.after += timedelta(minutes=minutes)

    @rule()
    def sweep(self) -> None:
        self.runner.run(sweep_overdue(self.database, THEN + self.after, new_id))

    @rule(at=levels, units=st.one_of(st.none(), st.integers(0, 6)))
    def count(self, at: UUID, units: int | None) -> None:
        async def act() -> None:
            async with self.database.writing() as uow:
                await count_stock(uow, at, units, lambda *_: True, THEN + self.after)

        self.runner.run(act())

    @rule(at=levels, units=st.integers(-3, 5).filter(bool))
    def move(self, at: UUID, units: int) -> None:
        kind = MovementKind.RECEIPT if units > 0 else MovementKind.DAMAGE
        on_hand = self.look().levels[at]["on_hand"]

        async def act(uow: UnitOfWork, now: Doing) -> None:
            await move_stock(uow, [Move(at, units, kind)], "", "", now)

        if on_hand is None or on_hand + units < 0:
            with pytest.raises(Conflict):
                self.do(act)
        else:
            self.do(act)
            assert self.look().levels[at]["on_hand"] == on_hand + units

    @rule(source=levels, goal=levels, units=st.integers(1, 3))
    def transfer(self, source: UUID, goal: UUID, units: int) -> None:
        async def act(uow: UnitOfWork, now: Doing) -> None:
            await move_stock(uow, transfers([(source, goal, units)]), "", "", now)

        before = self.on_hand()
        with contextlib.suppress(Conflict):
            self.do(act)
        assert self.on_hand() == before

    @rule(at=levels, safety=st.integers(0, 2), limit=st.integers(0, 3))
    def allow(self, at: UUID, safety: int, limit: int) -> None:
        async def act(uow: UnitOfWork, now: Doing) -> None:
            await set_policy(uow, at, StockPolicy(safety, 0, limit), lambda *_: True, now)

        self.do(act)

    @rule(units=st.one_of(st.none(), st.integers(0, 6)), elsewhere=st.integers(0, 2))
    def copy(self, units: int | None, elsewhere: int) -> None:
        async def act(uow: UnitOfWork, now: Doing) -> None:
            row = StockLevel(
                level(B), variant(B), place(0), "t-1", 0, units, elsewhere or None, None, THEN
            )
            await uow.stock.put_levels([row], now.at)

        self.do(act)

    def on_hand(self) -> int:
        return sum(row["on_hand"] or 0 for row in self.look().levels.values())

    def is_kept(self, owner: Owner) -> bool:
        until = self.promised[owner][1]
        return until is None or until > self.after

    @invariant()
    def promises_are_kept_and_the_books_are_true(self) -> None:
        looked = self.look()

        for owner, (units, _) in self.promised.items():
            if self.is_kept(owner):
                assert looked.has(owner.id) == units
        known = {owner.id for owner in self.promised}
        assert {row["owner_id"] for row in looked.active} <= known
        for row in looked.levels.values():
            reserved, on_hand = row["reserved"] or 0, row["on_hand"]
            short = 0 if on_hand is None else reserved - on_hand - row["backorder_limit"]
            assert row["shortfall"] == max(0, short)
        assert looked.off == 0


async def _opened(url: str) -> SqlDatabase:
    return opened(url, pool_size=1)


async def _clean(url: str, clean: Path | None) -> None:
    """Shelves as they were at first."""
    if clean is not None:
        path = Path(url.removeprefix("sqlite:///"))
        for one in path.parent.glob(f"{path.name}*"):
            one.unlink()
        shutil.copy(clean, path)
        return
    for table in (t.stock_movement, t.reservation, t.stock_count, t.bundle_component):
        await tell(url, str(sa.delete(table)))
    await tell(url, _AT_FIRST)
    await stock_up(url, COUNTS, bundles=BUNDLES)


def test_whatever_is_done_in_whatever_order_the_books_are_true_on_sqlite(tmp_path: Path) -> None:
    clean = tmp_path / "clean.sqlite3"
    asyncio.run(stock_up(f"sqlite:///{clean}", COUNTS, bundles=BUNDLES))

    class OnSqlite(Stockroom):
        pass

    OnSqlite.url, OnSqlite.clean = f"sqlite:///{tmp_path}/core.sqlite3", clean
    run_state_machine_as_test(
        OnSqlite, settings=settings(max_examples=15, stateful_step_count=25, deadline=None)
    )


def test_whatever_is_done_in_whatever_order_the_books_are_true_on_postgresql(
    postgres_port: int,
) -> None:
    with fresh_database(postgres_port) as url:
        asyncio.run(stock_up(url, COUNTS, bundles=BUNDLES))

        class OnPostgreSQL(Stockroom):
            pass

        OnPostgreSQL.url = url
        run_state_machine_as_test(
            OnPostgreSQL, settings=settings(max_examples=5, stateful_step_count=20, deadline=None)
        )
