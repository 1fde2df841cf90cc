"""Ways of shipping in tables."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import Stored
from new_core.domain.shipping import ShippingMethod, ShippingPlace, ShippingRate
from new_core.errors import InvalidValue
from new_core.storage import tables as t
from new_core.storage.statements import Row, upsert

_METHOD = t.shipping.shipping_method
_ALL = sa.select(_METHOD).order_by(_METHOD.c.rank, _METHOD.c.code)
_LOCKED = sa.select(_METHOD).where(_METHOD.c.id == sa.bindparam("id")).with_for_update()


class SqlShipping:
    """Rows of shipping, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def methods(self) -> tuple[Stored[ShippingMethod], ...]:
        rows = (await self._connection.execute(_ALL)).mappings()
        return tuple(_stored(row) for row in rows)

    async def locked(self, method_id: UUID) -> Stored[ShippingMethod] | None:
        result = await self._connection.execute(_LOCKED, {"id": method_id})
        row = result.mappings().one_or_none()
        return None if row is None else _stored(row)

    async def put(self, method: ShippingMethod, now: datetime) -> Stored[ShippingMethod]:
        same = sa.select(_METHOD.c.id).where(
            _METHOD.c.code == method.code, _METHOD.c.id != method.id
        )
        if (await self._connection.execute(same)).first() is not None:
            raise InvalidValue("code", f"{method.code} is that of another way of shipping")
        await upsert(self._connection, _METHOD, [_row(method)], now)
        stored = await self.locked(method.id)
        assert stored is not None  # noqa: S101 - just written
        return stored

    async def delete(self, method_id: UUID) -> None:
        await self._connection.execute(sa.delete(_METHOD).where(_METHOD.c.id == method_id))


def _row(method: ShippingMethod) -> dict[str, Any]:
    return {
        **asdict(method),
        "rates": [[one.currency, one.minor, one.free_from_minor] for one in method.rates],
        "places": [[one.country, one.region] for one in method.places],
    }


def _stored(row: Row) -> Stored[ShippingMethod]:
    method = ShippingMethod(
        id=row["id"],
        code=row["code"],
        name=row["name"],
        description=row["description"],
        rates=tuple(ShippingRate(*one) for one in row["rates"]),
        places=tuple(ShippingPlace(*one) for one in row["places"]),
        created_at=row["created_at"],
        tax_class=row["tax_class"],
        active=row["active"],
        rank=row["rank"],
    )
    return Stored(method, row["version"], row["updated_at"])
