"""Stages follow the owner of the data: what contradicts it is refused, with the way out."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from cutover.core.flip_owners import Owners, Ownership, contradiction, with_owners
from cutover.core.plan import make_plan
from cutover.core.stages import Position
from cutover.edge.flip_owners import read_owners
from cutover.errors import CannotRead, IllegalStep
from cutover.service.rolling_back import roll_back
from cutover.storage.restage import restage
from legacy_adapters.mapping.aggregates import SyncDomain
from legacy_adapters.mapping.versions import Side
from proxy.routing import Domain, RoutingTable, Stage
from proxy.storage.tables import parse_routing
from tests.fakes.cutover import books_in

_DOMAINS = (SyncDomain("orders", (), ("cart", "price")),)


def _text(cart: str, price: str = "legacy", share: str = "") -> str:
    return f"""apiVersion: banyan/v1
stores: {{legacy: {{url: "http://127.0.0.1:1"}}, core: {{url: "http://127.0.0.1:2"}}}}
domains:
  cart:
    owner: till
    stage: {cart}{share}
    routes: [{{path: "/cart/", methods: [GET, POST]}}]
    gates: {{}}
  price:
    owner: till
    stage: {price}
    routes: [{{path: "/price/", methods: [GET]}}]
    gates: {{}}
"""


def _table(cart: str, price: str = "legacy") -> RoutingTable:
    return parse_routing(_text(cart, price).encode(), "routing.yaml")


def _owned(owner: Side, *, is_flipping: bool = False) -> Owners:
    found = Ownership("orders", owner, is_flipping)
    return {"cart": found, "price": found}


def _cart() -> Domain:
    return _table("legacy").domain("cart")


@pytest.mark.parametrize(
    ("owner", "stage", "way_out"),
    [
        (Side.LEGACY, Stage.LEGACY, None),
        (Side.LEGACY, Stage.SHADOW, None),
        (Side.LEGACY, Stage.CANARY, "banyan flip orders --to core"),
        (Side.LEGACY, Stage.CORE, "banyan flip orders --to core"),
        (Side.LEGACY, Stage.RETIRED, "banyan flip orders --to core"),
        (Side.CORE, Stage.LEGACY, "banyan flip orders --to legacy"),
        (Side.CORE, Stage.SHADOW, "banyan flip orders --to legacy"),
        (Side.CORE, Stage.CANARY, "banyan flip orders --to legacy"),
        (Side.CORE, Stage.CORE, None),
        (Side.CORE, Stage.RETIRED, None),
    ],
)
def test_a_route_that_writes_stands_where_its_datas_owner_is(
    owner: Side, stage: Stage, way_out: str | None
) -> None:
    found = contradiction(_owned(owner), _cart(), Position(stage))

    assert (found is None) == (way_out is None)
    assert way_out is None or way_out in str(found)


@pytest.mark.parametrize("stage", [Stage.CANARY, Stage.CORE])
def test_where_writes_stay_reads_may_go_before_their_data(stage: Stage) -> None:
    cart = replace(_cart(), writes_stay=True)

    assert contradiction(_owned(Side.LEGACY), cart, Position(stage, writes_stay=True)) is None
    refused = contradiction(_owned(Side.CORE), cart, Position(stage, writes_stay=True))
    assert "take writes_to out" in str(refused)


def test_a_share_of_writers_is_refused_with_the_way_for_reads() -> None:
    refused = contradiction(_owned(Side.LEGACY), _cart(), Position(Stage.CANARY, 1_000))

    assert "writes_to: legacy lets reads go alone" in str(refused)


@pytest.mark.parametrize("stage", Stage)
def test_a_route_that_only_reads_may_stand_anywhere(stage: Stage) -> None:
    price = _table("legacy").domain("price")

    assert contradiction(_owned(Side.CORE), price, Position(stage)) is None


@pytest.mark.parametrize("stage", Stage)
def test_nothing_moves_while_a_flip_is_not_over(stage: Stage) -> None:
    owners = _owned(Side.LEGACY, is_flipping=True)

    assert "banyan flip --resume" in str(contradiction(owners, _cart(), Position(stage)))


@pytest.mark.parametrize("stage", Stage)
def test_without_synced_data_every_stage_is_as_it_was(stage: Stage) -> None:
    assert contradiction({}, _cart(), Position(stage)) is None


def test_a_plan_that_contradicts_the_owner_is_refused() -> None:
    plan = make_plan(_table("core"), _table("shadow"), {})

    found = with_owners(plan, _table("core"), _owned(Side.LEGACY))

    assert [change.domain for change in found.refused] == ["cart"]
    assert "banyan flip orders --to core" in found.refused[0].refusals[-1]


def test_a_plan_that_leaves_the_stage_alone_is_not_refused() -> None:
    plan = make_plan(_table("core", "shadow"), _table("core"), {})

    assert with_owners(plan, _table("core", "shadow"), _owned(Side.CORE)).refused == ()


def test_a_domain_whose_data_the_core_owns_is_not_removed() -> None:
    bare = parse_routing(_text("core").replace("  cart:", "  other:").encode(), "routing.yaml")
    plan = make_plan(bare, _table("core"), {})

    found = with_owners(plan, bare, _owned(Side.CORE))

    assert "cart" in [change.domain for change in found.refused]


def test_a_rollback_of_what_the_core_owns_points_to_the_flip(tmp_path: Path) -> None:
    books = books_in(tmp_path)
    books.applied.path.write_text(_text("core"))  # type: ignore[attr-defined]

    with pytest.raises(IllegalStep, match="banyan flip orders --to legacy"):
        roll_back(books, "cart", restage, to=None, actor="ann", reason="", owners=_owned(Side.CORE))

    assert (tmp_path / "applied.yaml").read_text() == _text("core")


def _environment(path: Path) -> dict[str, str]:
    url = f"sqlite:///{path}"
    return {"BANYAN_CORE_DATABASE": url, "BANYAN_LEGACY_DATABASE": "sqlite:///legacy.sqlite3"}


def test_owners_are_read_from_the_cores_database(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "core.sqlite3") as connection:
        connection.execute("CREATE TABLE mig_domain (domain, owner, phase)")
        connection.execute("INSERT INTO mig_domain VALUES ('orders', 'core', 'committed')")
    connection.close()

    found = read_owners(_environment(tmp_path / "core.sqlite3"), _DOMAINS)

    assert found == _owned(Side.CORE, is_flipping=True)


@pytest.mark.parametrize("name", ["BANYAN_CORE_DATABASE", "BANYAN_LEGACY_DATABASE"])
def test_without_both_databases_nobody_is_asked(tmp_path: Path, name: str) -> None:
    environment = _environment(tmp_path)
    del environment[name]

    assert read_owners(environment, _DOMAINS) == {}


def test_a_core_without_sync_has_no_owners_and_is_not_made(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "core.sqlite3").close()

    assert read_owners(_environment(tmp_path / "core.sqlite3"), _DOMAINS) == {}
    assert read_owners(_environment(tmp_path / "none.sqlite3"), _DOMAINS) == {}
    assert not (tmp_path / "none.sqlite3").exists()


def test_a_database_that_does_not_say_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "core.sqlite3").write_text("this is no database" * 100)

    with pytest.raises(CannotRead, match="who owns"):
        read_owners(_environment(tmp_path / "core.sqlite3"), _DOMAINS)
