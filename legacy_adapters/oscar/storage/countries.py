"""Countries as the shop's own table has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from legacy_adapters.oscar.storage import tables as t
from new_core.ports import UnitOfWork
from new_core.storage import connection_of


@dataclass(frozen=True, slots=True)
class Country:
    """A country.

    Attributes:
        code: ISO 3166-1 alpha-2.
        ships: whether the shop sends goods there.
    """

    code: str
    alpha_3: str
    numeric_code: str
    printable_name: str
    name: str
    rank: int
    ships: bool


class SqlCountries:
    """Countries, in one unit of work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._connection = connection_of(uow)

    async def all(self) -> tuple[Country, ...]:
        """All countries, in the order in which oscar lists them."""
        row = t.country.c
        ordered = sa.select(t.country).order_by(row.rank.desc(), row.printable_name)
        found = await self._connection.execute(ordered)
        return tuple(Country(**one) for one in found.mappings())

    async def some(self, codes: set[str]) -> dict[str, Country]:
        """Countries by code; unknown codes are absent."""
        if not codes:
            return {}
        chosen = sa.select(t.country).where(t.country.c.code.in_(sorted(codes)))
        found = (await self._connection.execute(chosen)).mappings()
        return {one["code"]: Country(**one) for one in found}

    async def replace(self, countries: Sequence[Country]) -> None:
        """Write all countries anew."""
        await self._connection.execute(sa.delete(t.country))
        if countries:
            rows = [asdict(one) for one in countries]
            await self._connection.execute(sa.insert(t.country), rows)
