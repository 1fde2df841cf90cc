"""The catalogue is written over /v1, on both databases, and found by search a moment later."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from starlette.types import ASGIApp

from new_core.domain.actor import Actor, ActorKind
from new_core.domain.assortment import AssortmentRule, RuleKind
from new_core.domain.search import words_of
from new_core.ports import ProductQuery
from new_core.service.assorting import is_visible, visible_to
from new_core.service.catalog import product_detail, product_page
from new_core.service.search import index_stale, search
from new_core.settings import CoreSettings
from new_core.storage import SqlDatabase
from tests.support.asgi import Answered, send_to
from tests.support.core import core_app

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


@dataclass(frozen=True)
class Client:
    """Asks the core's application, without a socket."""

    app: ASGIApp

    async def get(self, path: str, **query: Any) -> Answered:
        return await self.send("GET", f"{path}?{urlencode(query)}" if query else path)

    async def put(self, path: str, body: Any = None, **headers: str) -> Answered:
        return await self.send("PUT", path, body, **headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> Answered:
        return await self.send("POST", path, body, **headers)

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = b"" if body is None else json.dumps(body).encode()
        if content:
            named["content-type"] = "application/json"
        return await send_to(self.app, method, path, content, named)


@pytest.fixture
async def client(core: SqlDatabase, core_url: str) -> AsyncIterator[Client]:
    async with core_app(CoreSettings(core_database=core_url, core_auth="off")) as app:
        yield Client(app)


async def a_type(client: Client, code: str = "book") -> None:
    attributes = [
        {"code": "language", "name": "Language", "type": "choice"},
        {"code": "pages", "name": "Pages", "type": "integer", "required": True},
    ]
    body = {"name": code.title(), "attributes": attributes}
    assert (await client.put(f"/v1/product-types/{code}", body)).status == 200


async def a_product(client: Client, title: str, **more: Any) -> dict[str, Any]:
    ident = more.pop("id", None) or uuid4()
    publish = more.pop("publish", True)
    slug = "-".join(words_of(title))
    body = {"type": "book", "title": title, "slug": slug, "attributes": {"pages": 100}, **more}
    answer = await client.put(f"/v1/products/{ident}", body)
    assert answer.status == 200, answer.text
    if publish:
        answer = await client.post(f"/v1/products/{ident}/publish")
        assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def indexed(core: SqlDatabase) -> None:
    while True:
        async with core.writing() as uow:
            if not await index_stale(uow, 50):
                return


async def titles(client: Client, **query: Any) -> list[str]:
    answer = await client.get("/v1/search", **query)
    assert answer.status == 200, answer.text
    return [one["title"] for one in answer.json()["data"]]


async def test_a_new_product_is_a_draft_until_it_is_published(client: Client) -> None:
    await a_type(client)
    draft = await a_product(client, "Hacking Exposed", publish=False, sku="hx-1")

    assert draft["status"] == "draft"
    assert (await client.get("/v1/products")).json()["data"] == []
    published = await client.post(f"/v1/products/{draft['id']}/publish")
    again = await client.post(f"/v1/products/{draft['id']}/publish")
    assert published.json()["status"] == "published"
    assert again.json()["version"] == published.json()["version"]
    assert [one["sku"] for one in (await client.get("/v1/products")).json()["data"]] == ["hx-1"]


async def test_a_product_without_what_its_type_requires_is_not_published(
    client: Client,
) -> None:
    await a_type(client)
    draft = await a_product(client, "Without pages", publish=False, attributes={})

    refused = await client.post(f"/v1/products/{draft['id']}/publish")

    assert refused.status == 409
    assert refused.json()["code"] == "attributes_missing"


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"type": "poster"}, 422, "type"),
        ({"attributes": {"pages": "many"}}, 422, "pages"),
        ({"attributes": {"colour": "red"}}, 422, "colour"),
        ({"category_ids": [str(uuid4())]}, 422, "categories"),
        ({"parent_id": str(uuid4())}, 422, "parent_id"),
        ({"structure": "variant", "type": None}, 422, "parent_id"),
        ({"slug": "No Slug"}, 422, "slug"),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_place(
    client: Client, change: dict[str, Any], status: int, word: str
) -> None:
    await a_type(client)
    body = {"type": "book", "title": "T", "slug": "t", "attributes": {"pages": 1}, **change}

    answer = await client.put(f"/v1/products/{uuid4()}", body)

    assert answer.status == status
    assert word in answer.text


async def test_a_write_that_saw_an_older_product_is_refused(client: Client) -> None:
    await a_type(client)
    first = await a_product(client, "One", publish=False)
    path = f"/v1/products/{first['id']}"
    tag = (await client.get(path)).headers["etag"]
    body = {"type": "book", "title": "Two", "slug": "two", "attributes": {"pages": 2}}

    changed = await client.put(path, body, if_match=tag)
    late = await client.put(path, body, if_match=tag)

    assert (changed.status, late.status) == (200, 412)
    seen = await client.send("GET", path, if_none_match=changed.headers["etag"])
    assert seen.status == 304


async def test_what_is_remembered_of_a_product_never_outlives_a_change_of_it(
    client: Client,
) -> None:
    await a_type(client)
    parent = await a_product(client, "Shirt", structure="parent")
    path = f"/v1/products/{parent['id']}"
    child = {"structure": "variant", "parent_id": parent["id"], "type": None}

    seen = [len((await client.get(path)).json()["variants"])]
    small = await a_product(client, "Shirt S", sku="s", **child)
    seen.append(len((await client.get(path)).json()["variants"]))
    await a_product(client, "Shirt small", sku="s", id=small["id"], publish=False, **child)
    again = (await client.get(path)).json()["variants"]
    made = await client.post(
        "/v1/categories", {"name": "Shirts", "slug": "shirts"},
        idempotency_key="k1",
    )  # fmt: skip
    await a_product(
        client, "Shirt", id=parent["id"], structure="parent", category_ids=[made.json()["id"]]
    )

    assert seen == [0, 1]
    assert [one["title"] for one in again] == ["Shirt small"]
    (category,) = (await client.get(path)).json()["categories"]
    assert category["path"] == "shirts"


async def test_a_bundle_is_made_of_single_things_only(client: Client, core: SqlDatabase) -> None:
    await a_type(client)
    ids = [(await a_product(client, f"Book {n}"))["id"] for n in range(3)]
    variants = await variant_ids(core, ids)
    put = f"/v1/products/{ids[0]}/components"
    parts = [{"variant_id": variants[1], "quantity": 2}, {"variant_id": variants[1], "quantity": 1}]

    made = await client.put(put, {"components": parts})
    nested = await client.put(
        f"/v1/products/{ids[2]}/components",
        {"components": [{"variant_id": variants[0], "quantity": 1}]},
    )
    itself = await client.put(put, {"components": [{"variant_id": variants[0], "quantity": 1}]})
    above = await client.put(
        f"/v1/products/{ids[1]}/components",
        {"components": [{"variant_id": variants[2], "quantity": 1}]},
    )

    assert made.json()["components"] == [{"variant_id": variants[1], "quantity": 3}]
    assert (await client.get(put)).json() == made.json()
    assert [one.status for one in (nested, itself, above)] == [422, 422, 422]
    assert (await client.put(put, {"components": []})).json() == {"components": []}


async def variant_ids(core: SqlDatabase, product_ids: list[str]) -> list[str]:
    async with core.reading() as uow:
        found = await uow.catalog.variants([UUID(one) for one in product_ids])
    return [str(found[UUID(one)].id) for one in product_ids]


async def test_search_finds_by_title_key_and_label_and_forgives_a_slip(
    client: Client, core: SqlDatabase
) -> None:
    await a_type(client)
    await a_product(
        client, "Hacking: The Art of Exploitation", gtin="9781593271442",
        attributes={"pages": 480, "language": "Français"},
    )  # fmt: skip
    await a_product(client, "The Art of Computer Programming", description="Sorting, hacking.")
    await a_product(client, "Cooking", publish=False)
    await indexed(core)

    assert sorted(await titles(client, q="art of")) == [
        "Hacking: The Art of Exploitation", "The Art of Computer Programming",
    ]  # fmt: skip
    assert (await titles(client, q="hacking"))[0] == "Hacking: The Art of Exploitation"
    assert await titles(client, q="9781593271442") == ["Hacking: The Art of Exploitation"]
    assert await titles(client, q="francais") == ["Hacking: The Art of Exploitation"]
    assert await titles(client, q="progr") == ["The Art of Computer Programming"]
    assert await titles(client, q="cooking") == []
    answer = (await client.get("/v1/search", q="explotation")).json()
    assert [one["title"] for one in answer["data"]] == ["Hacking: The Art of Exploitation"]
    assert answer["corrections"] == [{"typed": "explotation", "taken_for": "exploitation"}]


async def test_facets_count_what_there_is_beside_the_chosen_value(
    client: Client, core: SqlDatabase
) -> None:
    await a_type(client)
    for n, language in enumerate(["English", "English", "French"]):
        await a_product(client, f"Guide {n}", attributes={"pages": 100, "language": language})
    await indexed(core)

    query = {"q": "guide", "facet": "attr:language=French"}
    answer = (await client.get("/v1/search", **query)).json()

    by_name = {one["name"]: one["values"] for one in answer["facets"]}
    assert answer["total"] == 1
    assert by_name["attr:language"] == [
        {"value": "English", "products": 2}, {"value": "French", "products": 1},
    ]  # fmt: skip
    assert by_name["type"] == [{"value": "book", "products": 1}]


async def test_pages_of_a_search_hold_every_product_once(client: Client, core: SqlDatabase) -> None:
    await a_type(client)
    for n in range(7):
        await a_product(client, f"Volume {n}")
    await indexed(core)

    seen: list[str] = []
    query: dict[str, Any] = {"q": "volume", "limit": 3}
    while True:
        page = (await client.get("/v1/search", **query)).json()
        seen += [one["id"] for one in page["data"]]
        if not page["page"]["has_more"]:
            break
        query["after"] = page["page"]["next"]

    assert len(seen) == len(set(seen)) == 7
    assert (await client.get("/v1/search", after="nonsense")).status == 422


async def test_search_follows_changes_withdrawals_and_renamed_categories(
    client: Client, core: SqlDatabase
) -> None:
    await a_type(client)
    one = await a_product(client, "Old name")
    await indexed(core)
    assert await titles(client, q="old") == ["Old name"]

    await a_product(client, "New name", id=one["id"], publish=False)
    await indexed(core)
    assert (await titles(client, q="old"), await titles(client, q="new")) == ([], ["New name"])
    await client.post(f"/v1/products/{one['id']}/unpublish")
    await indexed(core)
    assert await titles(client, q="new") == []


async def test_an_assortment_limits_lists_search_and_single_products(
    client: Client, core: SqlDatabase
) -> None:
    await a_type(client)
    ids = [(await a_product(client, f"Item {n}"))["id"] for n in range(3)]
    await indexed(core)
    account = uuid4()
    rules = [{"includes": True, "kind": "all"},
             {"includes": False, "kind": "product", "target_id": ids[1]}]  # fmt: skip
    made = await client.put("/v1/assortments/trade", {"name": "Trade", "rules": rules})
    assert made.status == 200, made.text
    path = f"/v1/assortments/trade/assignments/account/{account}"
    assert (await client.put(path)).status == 204
    assert (await client.put(path)).status == 204
    buyer = Actor(ActorKind.CUSTOMER, "c", account_ids=(account,))

    async with core.reading() as uow:
        visible = await visible_to(uow, buyer)
        page = await product_page(uow, ProductQuery(limit=9, visible=visible))
        found = await search(uow, "item", {}, visible, limit=9, offset=0)
        shown = [is_visible(await product_detail(uow, UUID(one)), visible) for one in ids]

    wanted = {UUID(ids[0]), UUID(ids[2])}
    assert {one.product.id for one in page} == set(found.product_ids) == wanted
    assert shown == [True, False, True]
    assert visible.assortments == (
        (AssortmentRule(True, RuleKind.ALL), AssortmentRule(False, RuleKind.PRODUCT, UUID(ids[1]))),
    )
    assert (await client.send("DELETE", path)).status == 204
    async with core.reading() as uow:
        assert (await visible_to(uow, buyer)).assortments is None
        assert await uow.assortments.assigned(None, [], []) == ()


async def test_a_refused_method_is_told_with_those_that_the_path_has(client: Client) -> None:
    refused = await client.send("DELETE", f"/v1/products/{uuid4()}")

    assert refused.status == 405
    assert refused.headers["allow"] == "GET, PUT"


@pytest.mark.parametrize("since", ["0.5", "1767225600", "2026-01-01", "2026-01-01T00:00:00"])
async def test_a_time_is_one_with_a_zone_and_no_number(client: Client, since: str) -> None:
    assert (await client.get("/v1/products", updated_since=since)).status == 422
