from __future__ import annotations

import argparse

import pytest

from tests.ledger.__main__ import plan
from tests.ledger.faults import FAULTS

FILES, SERVERS = ("sqlite", "sqlite"), ("mariadb", "postgresql")


def asked(
    *, flips: int = 200, calm: int = 4, only: str = "", short: bool = False
) -> argparse.Namespace:
    return argparse.Namespace(flips=flips, calm=calm, only=only, short=short)


def test_a_long_run_is_calm_first_and_then_plays_every_fault() -> None:
    names = plan(asked(), SERVERS, has_servers=True)

    assert names[:4] == ["undisturbed"] * 4
    assert len(names) == 200
    assert set(names) == set(FAULTS)


def test_no_network_is_cut_where_there_is_none() -> None:
    names = plan(asked(), FILES, has_servers=False)

    assert set(names) == {name for name, fault in FAULTS.items() if not fault.needs_servers}


@pytest.mark.parametrize("stores", [FILES, SERVERS])
def test_the_short_form_plays_faults_that_there_are(stores: tuple[str, str]) -> None:
    names = plan(asked(short=True), stores, has_servers=stores == SERVERS)

    assert all(stores == SERVERS or not FAULTS[name].needs_servers for name in names)


def test_only_what_is_named_is_played_over_and_over() -> None:
    names = plan(asked(flips=3, only="all dead,sync killed"), FILES, has_servers=False)

    assert names == ["all dead", "sync killed", "all dead"]
