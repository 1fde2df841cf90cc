"""Rows that only the facade needs, in the core's database and in its units of work.

sessions = SqlSessions(uow)
mine = await sessions.get(key)
"""

from __future__ import annotations

from legacy_adapters.oscar.storage.countries import Country, SqlCountries
from legacy_adapters.oscar.storage.migrate import CHAIN, upgrade_oscar
from legacy_adapters.oscar.storage.numbers import SqlNumbers
from legacy_adapters.oscar.storage.sessions import Session, SqlSessions
from legacy_adapters.oscar.storage.vouchers import SqlVouchers, put_unknown

__all__ = [
    "CHAIN",
    "Country",
    "Session",
    "SqlCountries",
    "SqlNumbers",
    "SqlSessions",
    "SqlVouchers",
    "put_unknown",
    "upgrade_oscar",
]
