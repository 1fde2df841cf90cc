"""How far backfills are, in the core's database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from legacy_adapters.mapping.versions import Version
from legacy_adapters.ports.backfilling import Part, Run
from legacy_adapters.storage.tables import backfill as t
from new_core.ports import Database
from new_core.storage import connection_of


class SqlBackfillBooks:
    """The runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, domain: str) -> Run | None:
        return (await self.runs()).get(domain)

    async def runs(self) -> Mapping[str, Run]:
        async with self._database.reading() as uow:
            connection = connection_of(uow)
            runs = (await connection.execute(sa.select(t.run))).all()
            parts = (await connection.execute(sa.select(t.part).order_by(t.part.c.place))).all()
        return {
            row.domain: Run(
                domain=row.domain,
                since=Version(row.term, row.position),
                total=row.total,
                parts=tuple(_part(one) for one in parts if one.domain == row.domain),
                started_at=row.started_at,
                finished_at=row.finished_at,
            )
            for row in runs
        }

    async def begin(self, run: Run) -> None:
        async with self._database.writing() as uow:
            connection = connection_of(uow)
            await connection.execute(sa.delete(t.part).where(t.part.c.domain == run.domain))
            await connection.execute(sa.delete(t.run).where(t.run.c.domain == run.domain))
            await connection.execute(
                sa.insert(t.run).values(
                    domain=run.domain,
                    term=run.since.term,
                    position=run.since.order,
                    total=run.total,
                    started_at=run.started_at,
                    finished_at=run.finished_at,
                )
            )
            if run.parts:
                rows = [_values(run.domain, place, one) for place, one in enumerate(run.parts)]
                await connection.execute(sa.insert(t.part), rows)
            await uow.commit()

    async def move(self, domain: str, part: Part) -> None:
        which = t.part.c
        async with self._database.writing() as uow:
            await connection_of(uow).execute(
                sa.update(t.part)
                .where(which.domain == domain, which.tbl == part.table, which.number == part.number)
                .values(last=part.last, rows=part.rows, is_finished=part.is_finished)
            )
            await uow.commit()

    async def finish(self, domain: str, at: datetime) -> None:
        async with self._database.writing() as uow:
            await connection_of(uow).execute(
                sa.update(t.run).where(t.run.c.domain == domain).values(finished_at=at)
            )
            await uow.commit()


def _part(row: Any) -> Part:
    return Part(
        table=row.tbl,
        number=row.number,
        after=row.after,
        to=row.up_to,
        last=row.last,
        rows=row.rows,
        is_finished=row.is_finished,
    )


def _values(domain: str, place: int, part: Part) -> dict[str, Any]:
    return {
        "domain": domain,
        "tbl": part.table,
        "number": part.number,
        "place": place,
        "after": part.after,
        "up_to": part.to,
        "last": part.last,
        "rows": part.rows,
        "is_finished": part.is_finished,
    }
