"""Memory does not follow the size of the shop, and the many are as right as the few."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.legacy_adapters.shops import prepare_shop
from tests.integration.legacy_adapters.scale import backfill, grow

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

LEEWAY_MIB = 30


@pytest.mark.soak
def test_four_times_the_rows_take_the_same_memory(tmp_path: Path) -> None:
    few, many = prepare_shop(tmp_path / "few"), prepare_shop(tmp_path / "many")
    grow(few.database, 1_500)
    grow(many.database, 6_000)

    _, _, few_mib = backfill(few.url, f"sqlite:///{tmp_path / 'few.sqlite3'}")
    report, _, many_mib = backfill(many.url, f"sqlite:///{tmp_path / 'many.sqlite3'}")

    assert report["ok"] is True
    assert many_mib <= few_mib + LEEWAY_MIB
