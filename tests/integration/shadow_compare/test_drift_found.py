"""Drift found: every fault that is seeded into two real stores is found by one pass, classed,
repaired from the side that owns, and leaves a line of who did it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.demo_store.conftest import prepare
from tests.support.databases import fresh_database
from tests.support.drift_proof import Proof, prove
from tests.support.drift_seeds import LEGACY_OWNS, Seed
from tests.support.drift_shop import core_place, open_drift_shop
from tests.support.mariadb import shared_mariadb

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

_BY_FAULT = pytest.mark.parametrize("seed", LEGACY_OWNS, ids=lambda seed: seed.fault)


@pytest.fixture(
    scope="module",
    params=[
        "sqlite-sqlite",
        "sqlite-postgresql",
        pytest.param("postgresql-sqlite", marks=pytest.mark.soak),
        pytest.param("mariadb-postgresql", marks=pytest.mark.soak),
    ],
)
def proof(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proof]:
    """Oscar's database and the core's."""
    of_legacy, _, of_core = request.param.partition("-")
    folder = tmp_path_factory.mktemp("drift")
    template = tmp_path_factory.mktemp("template")
    is_file = of_legacy == "sqlite"
    if is_file:
        prepare(template)
    port = 0 if request.param == "sqlite-sqlite" else request.getfixturevalue("postgres_port")
    with ExitStack() as stack:
        legacy = f"sqlite:///{folder}/oscar.sqlite3"
        if of_legacy == "postgresql":
            legacy = stack.enter_context(fresh_database(port))
        elif of_legacy == "mariadb":
            request.getfixturevalue("mariadb_port")
            legacy = shared_mariadb().url("drift_shop")
            shared_mariadb().run("CREATE OR REPLACE DATABASE drift_shop CHARACTER SET utf8mb4")
        core = stack.enter_context(core_place(of_core, folder, port))
        shop = stack.enter_context(open_drift_shop(folder, legacy, core, template))
        yield prove(shop, LEGACY_OWNS)


@_BY_FAULT
def test_one_pass_finds_it_and_says_what_it_is(proof: Proof, seed: Seed) -> None:
    found = proof.before[seed.kind, seed.key]

    assert (found["class"], found["domain"]) == (seed.drift, seed.domain)
    assert found["stake_minor"] == seed.stake


@_BY_FAULT
def test_afterwards_nothing_of_it_is_left(proof: Proof, seed: Seed) -> None:
    is_left = (seed.kind, seed.key) in proof.after

    assert is_left == (seed.drift == "LOSSY_ACCEPTED")


def test_nothing_is_told_that_nobody_seeded(proof: Proof) -> None:
    seeded = {(seed.kind, seed.key) for seed in LEGACY_OWNS}
    # Whoever is known by a wrong number is there too much under that number as well.
    assert set(proof.before) - seeded == {("customer", "77777")}


def test_a_pass_with_faults_is_not_clean_and_the_one_behind_the_repair_is(proof: Proof) -> None:
    assert {name: one["is_clean"] for name, one in proof.passes.items()} == {
        "catalog": True, "customers": False, "orders": False,
    }  # fmt: skip
    assert all(one["is_clean"] for one in proof.clean.values()), proof.clean
    assert all(one["unsettled"] == 0 for one in (*proof.passes.values(), *proof.clean.values()))


def test_money_at_stake_is_the_sum_of_what_was_broken(proof: Proof) -> None:
    told = sum(seed.stake or 0 for seed in LEGACY_OWNS if seed.domain == "orders")

    assert proof.passes["orders"]["stake_minor"] == {"GBP": told}


def test_no_money_is_moved_that_nobody_approved_of(proof: Proof) -> None:
    repaired = sum(
        seed.stake or 0 for seed in LEGACY_OWNS if seed.domain == "orders" and seed.mend is None
    )

    assert proof.refused["done"] is None
    assert any(f"{repaired} minor units of GBP" in one for one in proof.refused["obstacles"])


def test_every_repair_leaves_a_line_of_who_did_what_to_how_much(proof: Proof) -> None:
    mended = [seed for seed in LEGACY_OWNS if not seed.mend and seed.drift != "LOSSY_ACCEPTED"]

    assert {line.domain: (line.keys, line.repaired) for line in proof.lines} == {
        domain: (count, count)
        for domain in ("customers", "orders")
        if (count := sum(seed.domain == domain for seed in mended))
    }
    assert all(line.said_by and line.ended_s is not None for line in proof.lines)
    stake = next(line.stake for line in proof.lines if line.domain == "orders")
    assert stake == {"GBP": sum(s.stake or 0 for s in mended if s.domain == "orders")}


def test_preflight_lets_a_shop_pass_that_is_set_up_right(proof: Proof) -> None:
    told = json.loads(proof.preflight.out)

    assert proof.preflight.code == 0, told
    assert [one for one in told["findings"] if one["severity"] == "refuse"] == []


def test_totals_that_know_nothing_of_the_mapping_agree_in_the_end(proof: Proof) -> None:
    assert proof.totals.code == 0
    assert "differ" not in proof.totals.out
