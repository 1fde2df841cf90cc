"""Countries, and where the API begins."""

from __future__ import annotations

import re
from typing import Any

from legacy_adapters.oscar.facade.visit import Reply, Visit, missing
from legacy_adapters.oscar.mapping.addresses import COUNTRY_PATH
from legacy_adapters.oscar.storage import Country, SqlCountries
from new_core.ports import UnitOfWork

_COUNTRY = re.compile(COUNTRY_PATH)
_BEGIN = (
    ("register", "register/"),
    ("login", "login/"),
    ("basket", "basket/"),
    ("basket-add-product", "basket/add-product/"),
    ("basket-add-voucher", "basket/add-voucher/"),
    ("basket-shipping-methods", "basket/shipping-methods/"),
    ("baskets", "baskets/"),
    ("categories", "categories/"),
    ("checkout", "checkout/"),
    ("orders", "orders/"),
    ("options", "options/"),
    ("products", "products/"),
    ("countries", "countries/"),
    ("useraddresses", "useraddresses/"),
)


async def root(visit: Visit) -> Reply:
    """Where to begin."""
    return Reply(200, {name: visit.links.named(path) for name, path in _BEGIN})


async def countries(uow: UnitOfWork, visit: Visit) -> object:
    """All countries."""
    return [_country(visit, one) for one in await SqlCountries(uow).all()]


async def country(uow: UnitOfWork, visit: Visit) -> object:
    """One country."""
    code = visit.arguments[0]
    found = await SqlCountries(uow).some({code})
    if code not in found:
        raise missing("Country")
    return _country(visit, found[code])


async def known_countries(uow: UnitOfWork, sent: Any) -> dict[str, Country]:
    """The countries that are named in addresses anywhere in what was sent, as far as the shop
    has them, by code.
    """
    return await SqlCountries(uow).some(set(_named(sent, depth=2)))


def _named(sent: Any, depth: int) -> list[str]:
    if not isinstance(sent, dict):
        return []
    found = []
    for name, value in sent.items():
        if name == "country" and isinstance(value, str):
            found += [code.upper() for code in _COUNTRY.findall(value)]
            found += _COUNTRY.findall(value)
        elif depth:
            found += _named(value, depth - 1)
    return found


def _country(visit: Visit, one: Country) -> dict[str, object]:
    return {
        "url": visit.links.country(one.code),
        "iso_3166_1_a3": one.alpha_3,
        "iso_3166_1_numeric": one.numeric_code,
        "printable_name": one.printable_name,
        "name": one.name,
        "display_order": one.rank,
        "is_shipping_country": one.ships,
    }
