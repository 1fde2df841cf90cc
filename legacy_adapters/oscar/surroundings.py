"""What a shop's baskets and checkouts need besides its catalogue."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from legacy_adapters.oscar.database import Cells, OscarDatabase
from legacy_adapters.oscar.mapping.offers import OfferRows, offer_key, promotion
from legacy_adapters.oscar.storage import Country, SqlCountries, SqlVouchers, put_unknown
from new_core.domain.actor import system
from new_core.domain.identity import ExternalRef, core_id
from new_core.domain.promotions import Promotion
from new_core.domain.shipping import ShippingMethod, ShippingRate
from new_core.ports import Database
from new_core.service.doing import Doing
from new_core.service.promotions import create_promotion
from new_core.service.shipping import create_method

log = logging.getLogger(__name__)

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
_RANGE = sa.table("offer_range", sa.column("id"), sa.column("includes_all_products"))
_EXCLUDED = sa.table("offer_range_excluded_products", sa.column("range_id"))
_OFFER = sa.table(
    "offer_conditionaloffer",
    *map(
        sa.column,
        (
            "id", "name", "offer_type", "exclusive", "status", "condition_id", "benefit_id",
            "priority", "start_datetime", "end_datetime",
        ),
    ),
)  # fmt: skip
_WHAT = ("id", "range_id", "type", "value", "proxy_class")
_CONDITION = sa.table("offer_condition", *map(sa.column, _WHAT))
_BENEFIT = sa.table("offer_benefit", *map(sa.column, _WHAT))
_VOUCHER = sa.table(
    "voucher_voucher",
    *map(sa.column, ("id", "name", "code", "usage", "start_datetime", "end_datetime")),
)
_OPENS = sa.table(
    "voucher_voucher_offers", sa.column("voucher_id"), sa.column("conditionaloffer_id")
)
TABLES = tuple(
    table.name
    for table in (_COUNTRY, _RANGE, _EXCLUDED, _OFFER, _CONDITION, _BENEFIT, _VOUCHER, _OPENS)
)
"""The names of oscar's tables that are read here."""

_FREE = core_id("oscar", "shipping_method", "free-shipping")


async def copy_surroundings(
    oscar: OscarDatabase, database: Database, currency: str, now: datetime
) -> None:
    """Copy the shop's countries, offers and vouchers, and give a core without any way of
    shipping oscar's own.

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
    vouchers = await oscar.rows(sa.select(_VOUCHER.c.id, _VOUCHER.c.code))
    async with database.writing() as uow:
        await SqlCountries(uow).replace(countries)
        await SqlVouchers(uow).put({str(row["id"]): str(row["code"]) for row in vouchers}, now)
        await uow.commit()
    async with database.writing() as uow:
        if not await uow.shipping.methods():
            doing = Doing(system("oscar-backfill"), now, lambda: _FREE)
            await create_method(uow, _free_shipping(_FREE, currency, now), doing)
            await uow.commit()
    refs = []
    for one in await _offers(oscar):
        new = promotion(one, currency)
        if new is None:
            log.warning("the offer %r is not copied: write a promotion for it", one.offer["name"])
        else:
            await _write_once(database, new, now)
            refs.append(ExternalRef("oscar", "offer", offer_key(one), new.id, ""))
    async with database.writing() as uow:
        await put_unknown(uow, refs, now)
        await uow.commit()


async def _write_once(database: Database, new: Promotion, now: datetime) -> None:
    """What is there already may have been changed since, and stays as it is."""
    async with database.writing() as uow:
        if await uow.promotions.get(new.id) is None:
            doing = Doing(system("oscar-backfill"), now, lambda: new.id)
            await create_promotion(uow, new, doing)


async def _offers(oscar: OscarDatabase) -> list[OfferRows]:
    """The offers that are open, once per voucher where vouchers open them."""

    async def by_id(table: sa.TableClause) -> dict[Any, Cells]:
        return {row["id"]: row for row in await oscar.rows(sa.select(table))}

    excluded = {row["range_id"] for row in await oscar.rows(sa.select(_EXCLUDED))}
    whole = {
        ident
        for ident, row in (await by_id(_RANGE)).items()
        if row["includes_all_products"] and ident not in excluded
    }
    conditions, benefits = await by_id(_CONDITION), await by_id(_BENEFIT)
    vouchers, opens = await by_id(_VOUCHER), await oscar.rows(sa.select(_OPENS))
    found = []
    for offer in (await by_id(_OFFER)).values():
        condition, benefit = conditions[offer["condition_id"]], benefits[offer["benefit_id"]]
        everything = {condition["range_id"], benefit["range_id"]} <= {*whole, None}
        of_this = [one for one in opens if one["conditionaloffer_id"] == offer["id"]]
        codes: list[Cells | None] = [vouchers[one["voucher_id"]] for one in of_this]
        if offer["offer_type"] == "Site":
            codes = [None]
        if offer["status"] == "Open":
            found += [OfferRows(offer, condition, benefit, everything, one) for one in codes]
    return found


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
