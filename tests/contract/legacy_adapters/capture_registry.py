"""All ways of capturing, by name."""

from __future__ import annotations

from collections.abc import Mapping

from tests.contract.legacy_adapters.capture_lab_mariadb import open_mariadb
from tests.contract.legacy_adapters.capture_lab_postgres import open_postgres
from tests.contract.legacy_adapters.capture_lab_sqlite import open_sqlite
from tests.contract.legacy_adapters.capture_labs import Opening

LABS: Mapping[str, Opening] = {
    "sqlite": open_sqlite,
    "postgresql": open_postgres,
    "mariadb": open_mariadb,
}
