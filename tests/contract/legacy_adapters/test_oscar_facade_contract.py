"""The facade on the core answers oscar's catalogue API byte for byte like a running oscar."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.contract.legacy_adapters.shops import (
    Answer,
    Server,
    Shop,
    prepare_shop,
    run_backfill,
    serve_core,
    serve_shop,
)
from tests.support.databases import fresh_database

pytestmark = [pytest.mark.contract, pytest.mark.timeout(300)]

DATE_UPDATED = re.compile(rb'"date_updated":"([^"]*)"')
KEPT_HEADERS = ("content-type", "allow", "vary")
PARTS = ("", "price/", "availability/", "stockrecords/")
OTHER_METHODS = ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ODD_PATHS = (
    "/api/products/?structure=parent",
    "/api/products/?structure=child",
    "/api/products/?structure=standalone",
    "/api/products/?structure=",
    "/api/products/?structure=nonsense",
    "/api/products/?format=json",
    "/api/products/?format=",
    "/api/products/?format=xml",
    "/api/products/9001/?format=json&page=2",
    "/api/products/007/",
    "/api/products/%37/",
    "/api/products/0/",
    "/api/products/777777/",
    "/api/products/777777/price/",
    "/api/products/777777/availability/",
    "/api/products/777777/stockrecords/",
    "/api/products/99999999999999999999999999/",
    "/api/products/-1/",
    "/api/products/abc/",
    "/api/products/1,5/",
    "/api/products/1/unknown/",
    "/api/products",
    "/api/products/1",
    "/api/products/1/stockrecords/777777/",
    "/api/products/2/stockrecords/1/",
    "/api/categories/odd/",
    "/api/categories/odd/deep/",
    "/api/categories/odd/deep/deeper/",
    "/api/categories/unicode/",
    "/api/categories/%20unicode%20/sub-cat/",
    "/api/categories/unicode//",
    "/api/categories//",
    "/api/categories/nope/",
    "/api/categories/unicode/nope/",
    "/api/categories/777777/",
    "/api/categories/%E4%B8%AD/",
    "/api/nothing/",
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return prepare_shop(tmp_path_factory.mktemp("oscar"), odd=True)


@pytest.fixture(scope="module")
def oscar(shop: Shop) -> Iterator[Server]:
    with serve_shop(shop) as server:
        yield server


@pytest.fixture(scope="module")
def wanted(oscar: Server) -> dict[str, Answer]:
    """What oscar answers for every catalogue URL it links to."""
    return {path: oscar.ask(path) for path in _catalogue_paths(oscar)}


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


def test_every_catalogue_url_answers_the_same_bytes(
    wanted: dict[str, Answer], core: Server
) -> None:
    found = {path: core.ask(path) for path in wanted}

    differing = [path for path in wanted if _seen(wanted[path]) != _seen(found[path])]
    assert len(wanted) > 850
    assert differing == []


def test_only_the_time_of_the_last_change_is_each_sides_own(
    wanted: dict[str, Answer], core: Server
) -> None:
    paths = [path for path in wanted if DATE_UPDATED.search(wanted[path].body)]

    ours = [DATE_UPDATED.findall(core.ask(path).body) for path in paths]

    started = datetime(2026, 1, 1, tzinfo=UTC)
    assert len(paths) > 600
    assert all(datetime.fromisoformat(t.decode()) > started for some in ours for t in some)
    assert ours != [DATE_UPDATED.findall(wanted[path].body) for path in paths]


def test_odd_requests_answer_the_same_bytes(oscar: Server, core: Server) -> None:
    differing = [path for path in ODD_PATHS if _seen(oscar.ask(path)) != _seen(core.ask(path))]

    assert differing == []


@pytest.mark.parametrize("path", ["/api/products/", "/api/products/1/", "/api/products/x/"])
def test_other_methods_answer_the_same_bytes(oscar: Server, core: Server, path: str) -> None:
    for method in OTHER_METHODS:
        assert _seen(oscar.ask(path, method)) == _seen(core.ask(path, method)), method


def test_the_same_accept_headers_are_refused(oscar: Server, core: Server) -> None:
    path = "/api/products/1/price/"

    for accept in ("application/json", "*/*", "application/*", "application/xml", "", "nonsense"):
        sent = {"Accept": accept}
        assert _seen(oscar.ask(path, headers=sent)) == _seen(core.ask(path, headers=sent)), accept


def test_urls_follow_the_host_and_the_scheme_that_the_proxy_tells(
    oscar: Server, core: Server
) -> None:
    path, told = "/api/products/1/", {"X-Forwarded-Proto": "https"}

    for host in ("SHOP.example", "[::1]:8080", "bad host"):
        theirs = replace(oscar, host=host).ask(path, headers=told)
        ours = replace(core, host=host).ask(path, headers=told)
        assert _seen(theirs) == _seen(ours), host
    assert b'"url":"https://[::1]:8080/api/products/1/"' in (
        replace(core, host="[::1]:8080").ask(path, headers=told).body
    )


def test_the_core_answers_while_the_shop_is_gone(core: Server, shop: Shop) -> None:
    hidden = shop.database.with_suffix(".hidden")
    shop.database.rename(hidden)
    try:
        answer = core.ask("/api/products/1/")
    finally:
        hidden.rename(shop.database)

    assert answer.status == 200


def _catalogue_paths(oscar: Server) -> list[str]:
    products = json.loads(oscar.ask("/api/products/").body)
    paths = ["/api/products/", "/api/categories/"]
    for product in products:
        key = product["id"]
        paths += [f"/api/products/{key}/{part}" for part in PARTS]
        for record in json.loads(oscar.ask(f"/api/products/{key}/stockrecords/").body):
            paths.append(f"/api/products/{key}/stockrecords/{record['id']}/")
    categories = json.loads(oscar.ask("/api/categories/").body)
    while categories:
        category = categories.pop()
        below = category["children"].partition("8080")[2]
        paths += [category["url"].partition("8080")[2], below]
        categories += json.loads(oscar.ask(below).body)
    return paths


def _seen(answer: Answer) -> tuple[int, dict[str, str | None], bytes]:
    """What must be equal: all but when a row last changed, which is each side's own."""
    kept = {name: answer.headers.get(name) for name in KEPT_HEADERS}
    return answer.status, kept, DATE_UPDATED.sub(b'"date_updated":""', answer.body)
