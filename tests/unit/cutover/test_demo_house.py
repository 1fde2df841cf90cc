"""What runs in the house of `banyan up`."""

from __future__ import annotations

from cutover.demo.houses import house_of
from cutover.settings import load_settings


def names(environment: dict[str, str]) -> list[str]:
    return [service.name for service in house_of(load_settings(environment)).all()]


def test_both_stores_are_kept_in_step_where_the_legacy_database_is_named() -> None:
    assert "sync" in names({"BANYAN_LEGACY_DATABASE": "sqlite:///shop.sqlite3"})


def test_nothing_is_kept_in_step_without_a_legacy_database() -> None:
    assert "sync" not in names({})
