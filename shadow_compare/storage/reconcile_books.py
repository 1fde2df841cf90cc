"""Passes and what they found, in the evidence database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from legacy_adapters.mapping.versions import Side
from shadow_compare.core.drift_class import DriftClass
from shadow_compare.core.drift_record import Drift, DriftSample, DriftState, seen_again
from shadow_compare.core.reconcile_pass import PassKind, PassRecord, Stretch, is_clean
from shadow_compare.core.text import storable
from shadow_compare.errors import EvidenceUnavailable, NoSuchDrift, PassBusy
from shadow_compare.ports.reconciling import FoundDrift, RepairRecord
from shadow_compare.storage.reconcile_packing import (
    pack_drift,
    pack_pass,
    pack_repair,
    pack_stretch,
    unpack_drift,
    unpack_pass,
    unpack_repair,
    unpack_stretch,
)
from shadow_compare.storage.reconcile_tables import (
    drifts,
    passes,
    repairs,
    samples,
    stretches,
    unsettled,
)
from shadow_compare.storage.upsert import put, put_new

LEASE_S = 12.0
"""A pass whose process was not heard of for so long may be taken up by another one."""

_LOT = 500


def everybody_lives(_holder: str) -> bool:
    """Where nobody can tell whether a process of another machine is alive."""
    return True


class SqlReconcileBooks:
    """Implements ports.reconciling.ReconcileBooks over an engine that may write."""

    def __init__(
        self,
        engine: AsyncEngine,
        wall_s: Callable[[], float],
        is_alive: Callable[[str], bool] = everybody_lives,
    ) -> None:
        """Args: is_alive: whether the process of a holder may still run."""
        self._engine = engine
        self._wall_s = wall_s
        self._is_alive = is_alive

    async def begin(self, wanted: PassRecord, parts: Sequence[Stretch]) -> PassRecord:
        now_s = self._wall_s()
        async with self._writing() as connection:
            # Two may begin at the same moment; one row of theirs makes them queue.
            await _lock(connection, wanted.domain)
            found = await self._unfinished(connection, wanted, now_s)
            if found is not None:
                taken = replace(found, holder=wanted.holder, problem="")
                await put(connection, passes, [pack_pass(taken, now_s)])
                return taken
            await put(connection, passes, [pack_pass(wanted, now_s)])
            await put(connection, stretches, [pack_stretch(wanted.id, one) for one in parts])
        return wanted

    async def _unfinished(
        self, connection: AsyncConnection, wanted: PassRecord, now_s: float
    ) -> PassRecord | None:
        """The pass to go on with. A pass that took another side as right is of no use now."""
        is_open = sa.and_(passes.c.domain == wanted.domain, passes.c.ended_s.is_(None))
        rows = (await connection.execute(sa.select(passes).where(is_open))).all()
        found = None
        for row in rows:
            is_other = row.holder not in ("", wanted.holder)
            if is_other and now_s - row.beat_s < LEASE_S and self._is_alive(row.holder):
                raise PassBusy(f"{wanted.domain} is being reconciled by {row.holder}")
            if row.kind == wanted.kind and row.owner == wanted.owner:
                found = unpack_pass(row)
            else:
                await _close(connection, row.id, now_s, "another pass was begun instead")
        return found

    async def beat(self, record: PassRecord) -> None:
        async with self._writing() as connection:
            await self._hold(connection, record)

    async def stretches(self, pass_id: str) -> Sequence[Stretch]:
        query = sa.select(stretches).where(stretches.c.pass_id == pass_id)
        async with self._reading() as connection:
            rows = (await connection.execute(query.order_by(stretches.c.number))).all()
        return [unpack_stretch(row) for row in rows]

    async def keep(
        self,
        record: PassRecord,
        stretch: Stretch,
        found: Sequence[FoundDrift],
        left: Sequence[str],
    ) -> None:
        async with self._writing() as connection:
            await self._hold(connection, record)
            await put(connection, stretches, [pack_stretch(record.id, stretch)])
            await _put_found(connection, found)
            keys = [
                {"pass_id": record.id, "kind": stretch.kind, "key": storable(key)} for key in left
            ]
            await put_new(connection, unsettled, keys)

    async def end(self, record: PassRecord) -> PassRecord:
        now_s = self._wall_s()
        async with self._writing() as connection:
            await self._hold(connection, record)
            if record.kind is not PassKind.HOT:
                await _are_gone(connection, record, now_s)
            drift = await _open_count(connection, record.domain)
            ended = replace(
                record,
                ended_s=now_s,
                holder="",
                problem="",
                is_clean=is_clean(record.tally, drift),
            )
            await put(connection, passes, [pack_pass(ended, now_s)])
            await _tidy(connection, ended)
        return ended

    async def give_up(self, record: PassRecord, problem: str) -> None:
        async with self._writing() as connection:
            await self._hold(connection, record)
            change = sa.update(passes).where(passes.c.id == record.id)
            await connection.execute(change.values(holder="", problem=storable(problem)))

    async def last(
        self, domain: str, owner: Side, *, clean: bool = False, whole: bool = False
    ) -> PassRecord | None:
        query = sa.select(passes).where(
            passes.c.domain == domain,
            passes.c.owner == owner,
            passes.c.ended_s.is_not(None),
            passes.c.problem == "",
        )
        if clean:
            query = query.where(passes.c.is_clean)
        if whole:
            query = query.where(passes.c.kind != PassKind.HOT)
        async with self._reading() as connection:
            newest = query.order_by(passes.c.started_s.desc()).limit(1)
            row = (await connection.execute(newest)).first()
        return None if row is None else unpack_pass(row)

    async def unsettled(self, pass_id: str) -> Sequence[tuple[str, str]]:
        known = unsettled.c
        query = sa.select(known.kind, known.key).where(known.pass_id == pass_id)
        async with self._reading() as connection:
            rows = (await connection.execute(query.order_by(known.kind, known.key))).all()
        return [(row.kind, row.key) for row in rows]

    async def drifts(
        self,
        domain: str | None = None,
        *,
        drift: DriftClass | None = None,
        state: DriftState | None = DriftState.OPEN,
        limit: int = 100_000,
    ) -> Sequence[Drift]:
        query = sa.select(drifts)
        wanted = {"domain": domain, "drift": drift, "state": state}
        for name, value in wanted.items():
            if value is not None:
                query = query.where(drifts.c[name] == value)
        dearest = sa.func.coalesce(drifts.c.stake_minor, -1).desc()
        query = query.order_by(dearest, drifts.c.kind, drifts.c.key).limit(limit)
        async with self._reading() as connection:
            rows = (await connection.execute(query)).all()
        return [unpack_drift(row) for row in rows]

    async def drift(self, drift_id: str) -> tuple[Drift, Sequence[DriftSample]] | None:
        async with self._reading() as connection:
            query = sa.select(drifts).where(drifts.c.id.startswith(drift_id, autoescape=True))
            rows = (await connection.execute(query.limit(2))).all()
            if not drift_id or len(rows) != 1:
                return None
            held = sa.select(samples).where(samples.c.drift_id == rows[0].id)
            fields = (await connection.execute(held.order_by(samples.c.n))).all()
        told = [DriftSample(row.path, row.owner, row.other) for row in fields]
        return unpack_drift(rows[0]), told

    async def move(self, ids: Collection[str], state: DriftState, said_by: str, reason: str) -> int:
        ordered, moved = sorted(ids), 0
        said = {"said_by": storable(said_by), "reason": storable(reason)}
        async with self._writing() as connection:
            for at in range(0, len(ordered), _LOT):
                change = sa.update(drifts).where(
                    drifts.c.id.in_(ordered[at : at + _LOT]), drifts.c.state != state
                )
                done = change.values(state=state, since_s=self._wall_s(), **said)
                moved += (await connection.execute(done)).rowcount
        return moved

    async def accept(self, drift_id: str, said_by: str, reason: str) -> Drift:
        """Let a difference be.

        Raises:
            NoSuchDrift: no difference, or more than one, begins so.
        """
        found = await self.drift(drift_id)
        if found is None:
            raise NoSuchDrift(f"no difference, or more than one, begins with {drift_id}")
        await self.move([found[0].id], DriftState.ACCEPTED, said_by, reason)
        again = await self.drift(found[0].id)
        return again[0] if again else found[0]

    async def note_repair(self, repair: RepairRecord) -> None:
        async with self._writing() as connection:
            await put(connection, repairs, [pack_repair(repair)])

    async def repairs(self, domain: str | None, limit: int) -> Sequence[RepairRecord]:
        query = sa.select(repairs).order_by(repairs.c.started_s.desc()).limit(limit)
        if domain is not None:
            query = query.where(repairs.c.domain == domain)
        async with self._reading() as connection:
            rows = (await connection.execute(query)).all()
        return [unpack_repair(row) for row in rows]

    async def _hold(self, connection: AsyncConnection, record: PassRecord) -> None:
        """Nothing is stored by a process whose pass another one has taken up."""
        own = sa.and_(
            passes.c.id == record.id,
            passes.c.holder == record.holder,
            passes.c.ended_s.is_(None),
        )
        beat = sa.update(passes).where(own).values(beat_s=self._wall_s())
        if (await connection.execute(beat)).rowcount == 0:
            raise PassBusy(f"another process has taken up the pass of {record.domain}")

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as exc:
            raise EvidenceUnavailable(f"the evidence store did not answer: {exc}") from exc

    _reading = _writing


async def _lock(connection: AsyncConnection, domain: str) -> None:
    if connection.dialect.name == "postgresql":
        lock = sa.text("SELECT pg_advisory_xact_lock(hashtext(:key))")
        await connection.execute(lock, {"key": f"banyan reconcile {domain}"})


async def _close(connection: AsyncConnection, pass_id: str, now_s: float, problem: str) -> None:
    change = sa.update(passes).where(passes.c.id == pass_id)
    await connection.execute(change.values(ended_s=now_s, holder="", problem=problem))
    await connection.execute(sa.delete(stretches).where(stretches.c.pass_id == pass_id))


async def _put_found(connection: AsyncConnection, found: Sequence[FoundDrift]) -> None:
    for at in range(0, len(found), _LOT):
        lot = found[at : at + _LOT]
        ids = [one.drift.id for one in lot]
        known = await connection.execute(sa.select(drifts).where(drifts.c.id.in_(ids)))
        before = {row.id: unpack_drift(row) for row in known}
        kept = [seen_again(before.get(one.drift.id), one.drift) for one in lot]
        await put(connection, drifts, [pack_drift(one) for one in kept])
        await connection.execute(sa.delete(samples).where(samples.c.drift_id.in_(ids)))
        held = [
            {
                "drift_id": one.drift.id,
                "n": number,
                "path": storable(sample.path),
                "owner": storable(sample.owner),
                "other": storable(sample.other),
            }
            for one in lot
            for number, sample in enumerate(one.samples)
        ]
        await put(connection, samples, held)


async def _are_gone(connection: AsyncConnection, record: PassRecord, now_s: float) -> None:
    """What a whole pass came by and found equal. What it could not tell stays as it was."""
    could_not_tell = (
        sa.select(unsettled.c.key)
        .where(
            unsettled.c.pass_id == record.id,
            unsettled.c.kind == drifts.c.kind,
            unsettled.c.key == drifts.c.key,
        )
        .exists()
    )
    change = sa.update(drifts).where(
        drifts.c.domain == record.domain,
        drifts.c.state.in_((DriftState.OPEN, DriftState.ACCEPTED)),
        drifts.c.last_s < record.started_s,
        ~could_not_tell,
    )
    await connection.execute(change.values(state=DriftState.GONE, since_s=now_s))


async def _open_count(connection: AsyncConnection, domain: str) -> int:
    query = (
        sa.select(sa.func.count())
        .select_from(drifts)
        .where(
            drifts.c.domain == domain,
            drifts.c.state == DriftState.OPEN,
            drifts.c.drift != DriftClass.LOSSY_ACCEPTED,
        )
    )
    return int((await connection.execute(query)).scalar_one())


async def _tidy(connection: AsyncConnection, ended: PassRecord) -> None:
    """Of passes that ended, only the newest clean one's unsettled keys are ever asked for."""
    await connection.execute(sa.delete(stretches).where(stretches.c.pass_id == ended.id))
    if not ended.is_clean:
        return
    older = sa.select(passes.c.id).where(
        passes.c.domain == ended.domain, passes.c.ended_s.is_not(None), passes.c.id != ended.id
    )
    await connection.execute(sa.delete(unsettled).where(unsettled.c.pass_id.in_(older)))
