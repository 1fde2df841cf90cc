"""Oscar's API on the core's services.

facade = OscarFacade(terms)
app.mount("/facade/oscar", facade)
"""

from __future__ import annotations

from legacy_adapters.oscar.facade.application import OscarFacade
from legacy_adapters.oscar.facade.sweeping import sweep_sessions, workers
from legacy_adapters.oscar.facade.views import writes
from legacy_adapters.oscar.facade.visit import ShopTerms

__all__ = ["OscarFacade", "ShopTerms", "sweep_sessions", "workers", "writes"]
