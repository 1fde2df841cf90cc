"""/v1 over HTTP on both databases: pages, tags, problems, and whatever a fuzzer thinks of."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.contract.legacy_adapters.shops import (
    Answer,
    Server,
    prepare_shop,
    run_backfill,
    serve_core,
)
from tests.support.databases import fresh_database

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def core(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("core")
    shop = prepare_shop(folder / "shop", odd=True)
    with contextlib.ExitStack() as stack:
        database = f"sqlite:///{folder / 'core.sqlite3'}"
        if request.param == "postgresql":
            port = request.getfixturevalue("postgres_port")
            database = stack.enter_context(fresh_database(port))
        copied = run_backfill(shop.url, database)
        assert copied.status == 0, copied.out + copied.err
        yield stack.enter_context(serve_core(database, folder / "core.log"))


def body(answer: Answer, status: int = 200) -> Any:
    assert answer.status == status, answer.body
    return json.loads(answer.body)


def follow(core: Server, path: str) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = body(core.ask(f"{path}{after}"))
        found += page["data"]
        if not page["page"]["has_more"]:
            assert page["page"]["next"] is None
            return found
        after = f"&after={page['page']['next']}"


def test_pages_hold_every_published_product_once_in_order(core: Server) -> None:
    found = follow(core, "/v1/products?limit=37")

    keys = [(one["updated_at"], one["id"]) for one in found]
    assert len(found) == 215
    assert len({one["id"] for one in found}) == 215
    assert keys == sorted(keys)
    assert {one["status"] for one in found} == {"published"}


def test_drafts_are_listed_when_asked_for(core: Server) -> None:
    assert len(body(core.ask("/v1/products?status=draft"))["data"]) == 2


def test_a_next_page_is_linked(core: Server) -> None:
    first = core.ask("/v1/products?limit=2&status=published")

    link = first.headers["link"]
    target = link.partition("<")[2].partition(">")[0]
    assert link.endswith('>; rel="next"')
    assert "limit=2" in target
    assert body(core.ask(target))["data"][0]["id"] != body(first)["data"][0]["id"]


def test_filters_narrow_the_list(core: Server) -> None:
    odd = body(core.ask("/v1/products?sku=odd-k1"))["data"]
    deep = follow(core, "/v1/products?category=odd&limit=50")
    books = follow(core, "/v1/products?category=books/fiction&limit=200")
    future = body(core.ask("/v1/products?updated_since=2999-01-01T00:00:00Z"))["data"]

    assert [one["title"] for one in odd] == ["Kid one"]
    assert {one["title"][:10] for one in deep} == {"Odd parent", "Long xxxxx"}
    assert len(books) > 50
    paths = [{line["path"] for line in one["categories"]} for one in books]
    assert all(any(path.startswith("books/fiction") for path in some) for some in paths)
    assert future == []


def test_what_changed_since_a_moment_is_found(core: Server) -> None:
    last = max(one["updated_at"] for one in follow(core, "/v1/products?limit=200"))

    found = body(core.ask(f"/v1/products?updated_since={last.replace('+', '%2B')}"))["data"]

    assert found
    assert {one["updated_at"] for one in found} == {last}


def test_a_product_shows_what_it_points_at(core: Server) -> None:
    (short,) = body(core.ask("/v1/products?status=draft&sku=odd-s2"))["data"]

    whole = body(core.ask(f"/v1/products/{short['id']}"))

    values = {one["code"]: one["value"] for one in whole["attributes"]}
    assert values["colours"] == ["Réd", "Aqua"]
    assert values["ratio"] == 1e16
    assert [one["path"] for one in whole["categories"]] == ["odd", "unicode", "unicode/sub-cat"]
    assert [one["uri"] for one in whole["images"]] == [
        "images/products/z.jpg", "images/products/x y.jpg",
    ]  # fmt: skip
    assert datetime.fromisoformat(whole["created_at"]).year == 2024
    assert len(whole["recommendations"]) == 3


def test_a_parent_shows_its_variants(core: Server) -> None:
    found = follow(core, "/v1/products?limit=200")
    parent = next(one for one in found if one["title"] == "Odd parent")

    whole = body(core.ask(f"/v1/products/{parent['id']}"))

    assert [one["structure"] for one in whole["variants"]] == ["variant", "variant"]
    assert {one["type"] for one in whole["variants"]} == {"odd-things"}
    assert whole["sku"] is None


def test_a_price_is_text_with_its_reasons(core: Server) -> None:
    (product,) = body(core.ask("/v1/products?status=draft&sku=odd-s2"))["data"]

    price = body(core.ask(f"/v1/products/{product['id']}/price?quantity=3"))

    assert price["unit_price"] == {"amount": "0.1", "currency": "JPY"}
    assert price["total"] == {"amount": "0", "currency": "JPY"}
    assert price["price_list"] == "oscar-base-jpy"
    assert {one["refusal"] for one in price["considered"]} == {"other_place", None}


def test_availability_and_stock_tell_the_same(core: Server) -> None:
    (product,) = body(core.ask("/v1/products?status=draft&sku=odd-s2"))["data"]
    (line,) = body(core.ask("/v1/stock?sku=odd-s2"))["data"]

    found = body(core.ask(f"/v1/products/{product['id']}/availability"))

    assert (found["units"], found["purchasable"]) == (-2, False)
    assert (line["available"], line["on_hand"], line["reserved"]) == (-2, 3, 5)
    assert line["warehouse"] == "odd-two"


def test_stock_comes_in_pages(core: Server) -> None:
    found = follow(core, "/v1/stock?limit=50")

    assert len(found) == len({one["id"] for one in found}) > 200


def test_a_tag_saves_the_body_until_it_changes(core: Server) -> None:
    first = core.ask("/v1/categories")
    tag = first.headers["etag"]

    again = core.ask("/v1/categories", headers={"If-None-Match": f'"x", W/{tag}'})
    other = core.ask("/v1/price-lists", headers={"If-None-Match": tag})

    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert other.status == 200
    assert other.headers["etag"] != tag


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/products/7", 422, "invalid_request"),
        ("/v1/products/00000000-0000-0000-0000-000000000000", 404, "product_not_found"),
        ("/v1/products/00000000-0000-0000-0000-000000000000/price", 404, "product_not_found"),
        ("/v1/products?limit=0", 422, "invalid_request"),
        ("/v1/products?limit=201", 422, "invalid_request"),
        ("/v1/products?after=zzz", 422, "invalid_value"),
        ("/v1/products?after=", 422, "invalid_value"),
        ("/v1/products?category=nope", 404, "category_not_found"),
        ("/v1/products?updated_since=2026-01-01T00:00:00", 422, "invalid_request"),
        ("/v1/products?sku=%00", 422, "invalid_request"),
        ("/v1/stock?after=AAAA", 422, "invalid_value"),
        ("/v1/nothing", 404, "not_found"),
    ],
)
def test_what_cannot_be_answered_is_a_problem(
    core: Server, path: str, status: int, code: str
) -> None:
    answer = core.ask(path, headers={"X-Request-ID": "r-1"})

    problem = body(answer, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["status"]) == (code, status)
    assert problem["request_id"] == answer.headers["x-request-id"] == "r-1"
    assert problem["retryable"] is False


def test_a_refused_parameter_is_named(core: Server) -> None:
    problem = body(core.ask("/v1/products?limit=x"), 422)

    assert [one["pointer"] for one in problem["errors"]] == ["/query/limit"]


def test_other_methods_are_refused(core: Server) -> None:
    answer = core.ask("/v1/products", "POST")

    assert body(answer, 405)["code"] == "method_not_allowed"
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("sent", ["", "has space", "x" * 129, "\u00e9"])
def test_an_odd_request_id_is_replaced(core: Server, sent: str) -> None:
    answer = core.ask("/healthz", headers={"X-Request-ID": sent})

    assert len(answer.headers["x-request-id"]) == 32


def test_metrics_count_by_route_and_not_by_path(core: Server) -> None:
    core.ask("/facade/oscar/api/products/7/")
    core.ask("/v1/categories")

    text = core.ask("/metrics").body.decode()

    assert 'route="oscar:/api/products/<n>/"' in text
    assert 'route="/v1/categories"' in text
    assert "products/7" not in text


def test_the_contract_is_openapi_3_1(core: Server) -> None:
    document = body(core.ask("/openapi.json"))

    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) >= {
        "/v1/products", "/v1/products/{product_id}", "/v1/products/{product_id}/price",
        "/v1/products/{product_id}/availability", "/v1/categories", "/v1/price-lists",
        "/v1/stock", "/v1/stock/{stock_id}",
    }  # fmt: skip
    assert "Problem" in document["components"]["schemas"]


# A cursor is opaque: no schema tells which texts are one, so "valid" ones may be refused.
def test_no_request_that_a_fuzzer_invents_breaks_the_contract(core: Server) -> None:
    schema = schemathesis.openapi.from_url(
        f"http://127.0.0.1:{core.port}/openapi.json", config=SchemathesisConfig()
    )
    deadline = time.monotonic() + 20

    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        case = found.ok().as_strategy()

        @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case)
        def fuzz(one: Any) -> None:
            if time.monotonic() < deadline:
                one.call_and_validate(timeout=10, excluded_checks=[positive_data_acceptance])

        fuzz()
