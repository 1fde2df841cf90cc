"""A client written for oscar shops in both stores; the platform itself compares the answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.routing import RequestHead, RoutingTable, decide
from proxy.storage.tables import load_routing
from shadow_compare.core.answer import Answer as Told
from shadow_compare.core.judge import Exchange
from shadow_compare.core.verdict import Outcome
from shadow_compare.service.rulebook import Rulebook
from tests.contract.legacy_adapters.journeys import JOURNEYS
from tests.contract.legacy_adapters.shopping import Client, Step
from tests.contract.legacy_adapters.shops import (
    Server,
    Shop,
    prepare_shop,
    run_backfill,
    serve_core,
    serve_shop,
)
from tests.support.comparing import NOW_S
from tests.support.databases import fresh_database

pytestmark = [pytest.mark.contract, pytest.mark.timeout(300)]

TABLE = Path(__file__).with_name("journeys.yaml")

DELIBERATE: dict[str, tuple[int, int]] = {}
"""Steps that end otherwise on purpose, with both statuses."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return prepare_shop(tmp_path_factory.mktemp("oscar"), vouchers=True)


@pytest.fixture(scope="module")
def oscar(shop: Shop) -> Iterator[Server]:
    with serve_shop(shop) as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def core(
    request: pytest.FixtureRequest, shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("core")
    with contextlib.ExitStack() as stack:
        database = f"sqlite:///{folder / 'core.sqlite3'}"
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            database = stack.enter_context(fresh_database(port))
        copied = run_backfill(shop.url, database)
        assert copied.status == 0, copied.out + copied.err
        server = stack.enter_context(serve_core(database, folder / "core.log"))
        yield replace(server, prefix="/facade/oscar")


@pytest.mark.parametrize("name", JOURNEYS)
def test_a_client_written_for_oscar_cannot_tell(oscar: Server, core: Server, name: str) -> None:
    journey, names_its_session = JOURNEYS[name]
    session = f"SID:ANON:shop.example:{core.port}_{name}" if names_its_session else None
    tag = f"{core.port}_{name}"
    theirs = Client(oscar, session, stranger(oscar, tag), tag)
    ours = Client(core, session, stranger(core, tag), tag)

    journey(theirs)
    journey(ours)

    table = load_routing(TABLE)
    book = Rulebook(table, NOW_S)
    assert [one.label for one in theirs.steps] == [one.label for one in ours.steps]
    pairs = zip(theirs.steps, ours.steps, strict=True)
    told = [difference(table, book, name, *pair) for pair in pairs]
    assert [one for one in told if one] == []


def stranger(server: Server, name: str) -> str:
    """The basket of somebody else."""
    client = Client(server, f"SID:ANON:shop.example:stranger_{name}")
    return str(client.basket("a stranger's").body["url"])


def difference(
    table: RoutingTable, book: Rulebook, journey: str, theirs: Step, ours: Step
) -> str | None:
    """What the platform says of two answers to one step; None when it says nothing."""
    label = f"{journey}: {theirs.label}"
    expected = DELIBERATE.get(label)
    statuses = (theirs.answer.status, ours.answer.status)
    if expected is not None:
        return None if statuses == expected else f"{label}: {statuses} and not {expected}"
    path = theirs.path.partition("?")[0]
    decision = decide(RequestHead(theirs.method, path, {}), table)
    if decision.domain is None:
        return f"{label}: no route for {theirs.method} {path}"
    verdict = book.judge(decision.domain, decision.route).judge(
        Exchange(theirs.method, _told(theirs), _told(ours))
    )
    if verdict.outcome in (Outcome.MATCH, Outcome.ACCEPTED):
        return None
    return f"{label}: {verdict.outcome} {verdict.reason} {verdict.leaves}"


def _told(step: Step) -> Told:
    return Told(step.answer.status, tuple(step.answer.headers.items()), step.answer.body)
