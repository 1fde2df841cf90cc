"""Whole numbers for what was born in the core: oscar's clients know nothing else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from legacy_adapters.mapping.number_ranges import FIRST_OWN
from legacy_adapters.oscar.mapping.records import SYSTEM
from legacy_adapters.oscar.storage import tables as t
from new_core.domain.identity import ExternalRef
from new_core.ports import UnitOfWork
from new_core.storage import connection_of


class SqlNumbers:
    """Oscar's keys of baskets, lines, orders and people, in one unit of work.

    A number that was drawn is kept as an external reference, as the keys of what came from
    oscar are: there is one way to look up either.
    """

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self._connection = connection_of(uow)

    async def of(self, ids: Collection[UUID]) -> dict[UUID, str]:
        """The numbers of things; those without one are absent."""
        return await self._uow.refs.external(SYSTEM, ids)

    async def who(self, entity_type: str, number: str) -> UUID | None:
        """What a number names."""
        found = await self._uow.refs.internal(SYSTEM, entity_type, [number])
        return found[number].internal_id if number in found else None

    async def give(self, entity_type: str, ids: Sequence[UUID], now: datetime) -> dict[UUID, str]:
        """The numbers of things; those without one get the next. Give in ascending order of
        birth, so that numbers ascend too.
        """
        known = await self.of(ids)
        fresh = [one for one in ids if one not in known]
        if fresh:
            last = await self._draw(entity_type, len(fresh))
            first = last - len(fresh) + 1
            drawn = {one: str(first + index) for index, one in enumerate(fresh)}
            refs = [ExternalRef(SYSTEM, entity_type, key, one, "") for one, key in drawn.items()]
            await self._uow.refs.put(refs, now)
            known |= drawn
        return known

    async def next(self, entity_type: str) -> str:
        """The number that would be drawn next; nothing is drawn."""
        row = t.counter.c
        found = await self._connection.execute(
            sa.select(row.last).where(row.entity_type == entity_type)
        )
        last: int | None = found.scalar_one_or_none()
        return str(FIRST_OWN if last is None else last + 1)

    async def _draw(self, entity_type: str, count: int) -> int:
        """Take so many numbers and give the last of them.

        1. Two requests read the counter, 2. both take the same number. One statement reads
        and writes it, and whoever draws after waits for the end of this transaction.
        """
        dialect = self._connection.dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        values = {"entity_type": entity_type, "last": FIRST_OWN + count - 1}
        statement = (
            insert(t.counter)
            .values(values)
            .on_conflict_do_update(
                index_elements=[t.counter.c.entity_type], set_={"last": t.counter.c.last + count}
            )
            .returning(t.counter.c.last)
        )
        return int((await self._connection.execute(statement)).scalar_one())
