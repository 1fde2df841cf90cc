"""Lists of choices, which are kept beside the core; products there hold the labels alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapters.mapping.aggregates import Child, Shape
from legacy_adapters.oscar.mapping.sync_catalog_choices import Choice, ChoiceList
from legacy_adapters.oscar.storage import tables as own
from legacy_adapters.oscar.storage.core_catalog_products import SqlProductDocuments
from legacy_adapters.oscar.storage.core_shapes import core_table
from new_core.ports import UnitOfWork
from new_core.storage import connection_of
from new_core.storage.statements import fetch, one_of, replace_children, upsert

_LIST, _CHOICE = own.choice_list, own.choice
_LISTS = sa.select(_LIST).where(one_of(_LIST.c.id))
_CHOICES = (
    sa.select(_CHOICE).where(one_of(_CHOICE.c.list_id)).order_by(_CHOICE.c.position, _CHOICE.c.id)
)
_PRODUCTS = sa.select(own.chosen.c.product_id).where(one_of(own.chosen.c.choice_id)).distinct()


class SqlChoiceLists:
    """Lists of choices with what products have chosen out of them."""

    shapes: Sequence[Shape] = (
        Shape("choice_list", core_table(_LIST), (Child(core_table(_CHOICE), by="list_id"),)),
    )

    async def read(self, uow: UnitOfWork, ids: Collection[UUID]) -> Mapping[UUID, ChoiceList]:
        """Lists as they are now."""
        return await _read(connection_of(uow), ids)

    async def page(self, uow: UnitOfWork, after: UUID | None, size: int) -> Sequence[UUID]:
        """The next ids, ascending."""
        chosen = sa.select(_LIST.c.id).order_by(_LIST.c.id).limit(size)
        if after is not None:
            chosen = chosen.where(_LIST.c.id > after)
        return list((await connection_of(uow).execute(chosen)).scalars())

    async def write(
        self, uow: UnitOfWork, docs: Sequence[ChoiceList], now: datetime
    ) -> Mapping[UUID, str]:
        """Make lists like these. Products that have chosen what is called otherwise now are
        written anew, as their rows in the other store did not change.
        """
        connection = connection_of(uow)
        before = await _read(connection, [one.id for one in docs])
        taken = [one for one in docs if before.get(one.id) != one]
        if not taken:
            return {}
        was = {one.id: one.label for doc in before.values() for one in doc.choices}
        renamed = [
            one.id
            for doc in taken
            for one in doc.choices
            if was.get(one.id, one.label) != one.label
        ]
        rows = await fetch(connection, _PRODUCTS, renamed)
        products = SqlProductDocuments()
        chosen_by = await products.read(uow, [row["product_id"] for row in rows]) if rows else {}
        await self._put(connection, taken, now)
        await products.write(uow, list(chosen_by.values()), now)
        return {}

    async def remove(self, uow: UnitOfWork, ids: Collection[UUID], now: datetime) -> None:  # noqa: ARG002 - the port's
        """Delete lists with their choices."""
        connection = connection_of(uow)
        await replace_children(connection, _CHOICE.c.list_id, ids, [])
        await replace_children(connection, _LIST.c.id, ids, [])

    async def _put(
        self, connection: AsyncConnection, docs: Sequence[ChoiceList], now: datetime
    ) -> None:
        heads = [{"id": one.id, "name": one.name, "code": one.code} for one in docs]
        await upsert(connection, _LIST, heads, now)
        rows = [
            {
                "id": one.id, "list_id": doc.id, "position": place, "label": one.label,
                "code": one.code,
            }
            for doc in docs
            for place, one in enumerate(doc.choices)
        ]  # fmt: skip
        await replace_children(connection, _CHOICE.c.list_id, [one.id for one in docs], [])
        await upsert(connection, _CHOICE, rows, now)


async def _read(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, ChoiceList]:
    choices: dict[UUID, list[Choice]] = {}
    for row in await fetch(connection, _CHOICES, ids):
        one = Choice(row["id"], row["label"], row["code"])
        choices.setdefault(row["list_id"], []).append(one)
    return {
        row["id"]: ChoiceList(
            row["id"], row["name"], row["code"], tuple(choices.get(row["id"], ()))
        )
        for row in await fetch(connection, _LISTS, ids)
    }
