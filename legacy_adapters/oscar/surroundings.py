"""What a shop's baskets and checkouts need besides its catalogue."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from legacy_adapters.oscar.database import OscarDatabase
from legacy_adapters.oscar.storage import Country, SqlCountries
from new_core.domain.actor import system
from new_core.domain.identity import core_id
from new_core.domain.shipping import ShippingMethod, ShippingRate
from new_core.ports import Database
from new_core.service.doing import Doing
from new_core.service.shipping import create_method

_COUNTRY = sa.table(
    "address_country",
    sa.column("iso_3166_1_a2"),
    sa.column("iso_3166_1_a3"),
    sa.column("iso_3166_1_numeric"),
    sa.column("printable_name"),
    sa.column("name"),
    sa.column("display_order"),
    sa.column("is_shipping_country"),
)
_FREE = core_id("oscar", "shipping_method", "free-shipping")


async def copy_surroundings(
    oscar: OscarDatabase, database: Database, currency: str, now: datetime
) -> None:
    """Copy the shop's countries, and give a core without any way of shipping oscar's own.

    Oscar's ways of shipping stand in its code. A shop that wrote others writes them into the
    core, and this leaves them alone.

    Raises:
        LegacyUnavailable, LegacyUnreadable: nothing was written.
    """
    rows = await oscar.rows(sa.select(_COUNTRY))
    countries = [
        Country(
            code=str(row["iso_3166_1_a2"]),
            alpha_3=str(row["iso_3166_1_a3"]),
            numeric_code=str(row["iso_3166_1_numeric"]),
            printable_name=str(row["printable_name"]),
            name=str(row["name"]),
            rank=int(row["display_order"]),
            ships=bool(row["is_shipping_country"]),
        )
        for row in rows
    ]
    async with database.writing() as uow:
        await SqlCountries(uow).replace(countries)
        await uow.commit()
    async with database.writing() as uow:
        if not await uow.shipping.methods():
            doing = Doing(system("oscar-backfill"), now, lambda: _FREE)
            await create_method(uow, _free_shipping(_FREE, currency, now), doing)
            await uow.commit()


def _free_shipping(ident: UUID, currency: str, now: datetime) -> ShippingMethod:
    return ShippingMethod(
        id=ident,
        code="free-shipping",
        name="Free shipping",
        description="",
        rates=(ShippingRate(currency, 0),),
        places=(),
        created_at=now,
    )
