"""Prices, promotions and taxes over /v1, on both databases."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from new_core.app import build_core
from new_core.ports import EventQuery
from new_core.ports.audit import AuditQuery
from new_core.settings import CoreSettings
from tests.support.asgi import Answered, send_to
from tests.support.core import core_database
from tests.support.priced_shop import BASE, priced_shop, product_id, variant_id

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

ACCOUNT, ABOVE, PLACE, GROUP, OTHER_GROUP = (str(UUID(int=0xACC0 + n)) for n in range(5))


@pytest.fixture
async def core(core_url: str) -> AsyncIterator[FastAPI]:
    async with priced_shop(core_url, [10_000_000, 20_000_000, 5_000_000]):
        pass
    app = build_core(CoreSettings(core_database=core_url, core_auth="off"))
    async with app.router.lifespan_context(app):
        yield app


async def send(
    core: FastAPI, method: str, path: str, body: object = None, tag: str | None = None
) -> Answered:
    headers = {"content-type": "application/json"} | ({"if-match": tag} if tag else {})
    content = b"" if body is None else json.dumps(body).encode()
    return await send_to(core, method, f"/v1{path}", content, headers)


async def made(core: FastAPI, path: str, body: Mapping[str, object]) -> dict[str, Any]:
    answer = await send(core, "POST", path, body)
    assert answer.status in (200, 201), answer.content
    found: dict[str, Any] = answer.json()
    return found


async def list_of_prices(core: FastAPI, code: str, kind: str, amount: str, **more: object) -> str:
    made_list = await made(
        core, "/price-lists", {"code": code, "currency": "CAD", "kind": kind, **more}
    )
    price = {"amount": amount, "currency": "CAD"}
    rows = [{"variant_id": str(variant_id(0)), "unit_price": price}]
    await made(core, f"/price-lists/{made_list['id']}/prices:batch", {"rows": rows})
    return str(made_list["id"])


async def quoted(core: FastAPI, **more: object) -> dict[str, Any]:
    buyer = {"currency": "CAD"} | dict(more.pop("buyer", {}))  # type: ignore[call-overload]  # a mapping
    lines = [{"variant_id": str(variant_id(0)), "quantity": 1}]
    return await made(core, "/price-quotes", {"buyer": buyer, "lines": lines, **more})


def unit(quote: Mapping[str, Any]) -> tuple[str, str]:
    line = quote["lines"][0]
    return line["unit_price"]["amount"], line["trace"]["reason"]


async def test_the_strongest_list_wins_and_the_trace_says_why(core: FastAPI) -> None:
    assert unit(await quoted(core)) == ("10.00", "base")
    await list_of_prices(core, "sale", "promo", "9.50")
    assert unit(await quoted(core)) == ("9.50", "promo")
    lists = {
        code: await list_of_prices(core, code, "list", amount)
        for code, amount in (("web", "9.40"), ("g1", "9.30"), ("g2", "9.20"), ("acc", "9.60"))
    }
    for code, scope, key in (
        ("web", "channel", "web"), ("g1", "group", GROUP), ("g2", "group", OTHER_GROUP),
        ("acc", "account", ABOVE),
    ):  # fmt: skip
        await made(core, f"/price-lists/{lists[code]}/assignments", {"scope": scope, "key": key})
    contracts = {
        code: await list_of_prices(core, code, "contract", amount)
        for code, amount in (("c-above", "9.90"), ("c-own", "9.80"), ("c-place", "9.95"))
    }
    for code, account, place in (
        ("c-above", ABOVE, None), ("c-own", ACCOUNT, None), ("c-place", ACCOUNT, PLACE),
    ):  # fmt: skip
        body = {"number": code, "account_id": account, "location_id": place}
        await made(core, "/price-contracts", body | {"price_list_id": contracts[code]})

    buyer: dict[str, object] = {"channel": "web"}
    assert unit(await quoted(core, buyer=buyer)) == ("9.40", "channel")
    buyer["group_ids"] = [GROUP, OTHER_GROUP]
    assert unit(await quoted(core, buyer=buyer)) == ("9.20", "group")
    buyer["account_ids"] = [str(UUID(int=1)), ABOVE]
    assert unit(await quoted(core, buyer=buyer)) == ("9.90", "account_contract")
    buyer["account_ids"] = [ACCOUNT, ABOVE]
    assert unit(await quoted(core, buyer=buyer)) == ("9.80", "account_contract")
    buyer["location_id"] = PLACE
    quote = await quoted(core, buyer=buyer)
    assert unit(quote) == ("9.95", "location_contract")
    considered = quote["lines"][0]["trace"]["considered"]
    assert [one["price_list"] for one in considered] == [
        "c-place", "c-own", "c-above", "acc", "g2", "g1", "web", "sale", "base",
    ]  # fmt: skip
    assert [one["refusal"] for one in considered] == [None, *["outranked"] * 8]


async def test_a_list_takes_over_its_parents_prices_and_its_own_go_before(core: FastAPI) -> None:
    child = await list_of_prices(
        core, "minus", "promo", "9.99", parent_id=str(BASE.id), adjustment_ppm=-100_000
    )
    lines = [{"variant_id": str(variant_id(n)), "quantity": 1} for n in (0, 1)]

    quote = await made(core, "/price-quotes", {"buyer": {"currency": "CAD"}, "lines": lines})
    orphan = await send(
        core, "POST", "/price-lists",
        {"code": "x", "currency": "CAD", "kind": "promo", "parent_id": child},
    )  # fmt: skip

    assert [one["unit_price"]["amount"] for one in quote["lines"]] == ["9.99", "18.00"]
    assert quote["lines"][1]["trace"]["considered"][0]["adjusted"] is True
    assert (orphan.status, orphan.json()["code"]) == (422, "invalid_value")


async def test_rows_have_outcomes_of_their_own(core: FastAPI) -> None:
    cad, eur = ({"amount": "7.00", "currency": one} for one in ("CAD", "EUR"))
    good = {"variant_id": str(variant_id(0)), "min_qty": 10, "unit_price": cad}
    rows = [
        good, {"variant_id": str(UUID(int=5)), "unit_price": cad},
        {"variant_id": str(variant_id(1)), "unit_price": eur}, good,
    ]  # fmt: skip
    path = f"/price-lists/{BASE.id}/prices:batch"

    atomic = await made(core, path, {"rows": rows})
    partial = await made(core, path, {"rows": rows, "mode": "partial"})
    again = await made(core, path, {"rows": [good]})

    assert [one["status"] for one in atomic["data"]] == [
        "held_back", "refused", "refused", "held_back",
    ]  # fmt: skip
    assert [one["status"] for one in partial["data"]] == [
        "written", "refused", "refused", "unchanged",
    ]  # fmt: skip
    assert [one["code"] for one in partial["data"]] == [
        None, "variant_not_found", "currency_mismatch", None,
    ]  # fmt: skip
    assert (atomic["written"], partial["written"], again["written"]) == (0, 1, 0)
    lines = [{"variant_id": str(variant_id(0)), "quantity": n} for n in (9, 10)]
    quote = await made(core, "/price-quotes", {"buyer": {"currency": "CAD"}, "lines": lines})
    assert [one["unit_price"]["amount"] for one in quote["lines"]] == ["10.00", "7.00"]
    price_id = partial["data"][0]["price_id"]
    entries = (await send(core, "GET", f"/price-lists/{BASE.id}/prices?limit=2")).json()
    assert entries["page"]["has_more"]
    gone = await send(core, "DELETE", f"/price-lists/{BASE.id}/prices/{price_id}")
    twice = await send(core, "DELETE", f"/price-lists/{BASE.id}/prices/{price_id}")
    assert (gone.status, twice.status) == (204, 404)


async def test_a_price_list_is_changed_only_as_it_was_seen(core: FastAPI) -> None:
    seen = await send(core, "GET", f"/price-lists/{BASE.id}")
    body = {"code": "base", "currency": "CAD", "kind": "base", "status": "archived"}
    path = f"/price-lists/{BASE.id}"

    blind = await send(core, "PUT", path, body)
    done = await send(core, "PUT", path, body, seen.headers["etag"])
    late = await send(core, "PUT", path, body, seen.headers["etag"])
    other = await send(core, "PUT", path, body | {"currency": "EUR"}, done.headers["etag"])

    assert [one.status for one in (blind, done, late, other)] == [428, 200, 412, 409]
    assert (await quoted(core))["lines"][0]["unit_price"] is None
    price = (await send(core, "GET", f"/products/{product_id(0)}/price")).json()
    assert price["unit_price"] is None


def cad(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "CAD"}


PROMOTION: dict[str, object] = {
    "name": "Autumn", "kind": "order", "code": " autumn ", "currency": "CAD",
    "action": {"type": "percent_off", "ppm": 100_000},
    "conditions": {
        "node": "all",
        "of": [
            {"node": "subtotal", "min": {"amount": "15.00", "currency": "CAD"}},
            {"node": "not", "of": {"node": "country", "codes": ["US"]}},
        ],
    },
}  # fmt: skip


async def test_a_promotion_lives_from_its_start_to_its_end(core: FastAPI) -> None:
    promotion = await made(core, "/promotions", PROMOTION)
    path = f"/promotions/{promotion['id']}"
    lines = [{"variant_id": str(variant_id(1)), "quantity": 1}]

    async def total(amount: str, *problems: str) -> None:
        quote = await quoted(core, lines=lines, coupons=["Autumn"])
        assert quote["total"]["amount"] == amount
        assert [one["problem"] for one in quote["coupon_problems"]] == list(problems)

    await total("18.00")
    assert (await quoted(core, coupons=["autumn"]))["coupon_problems"] == [
        {"code": "AUTUMN", "problem": "coupon_condition_not_met"}
    ]
    seen = await send(core, "GET", path)
    ended = await send(core, "POST", f"{path}/end", None, seen.headers["etag"])
    await total("20.00", "coupon_not_valid")
    started = await send(core, "POST", f"{path}/start", None, ended.headers["etag"])
    await total("18.00")
    taken = await send(core, "POST", "/promotions", PROMOTION | {"name": "Other"})
    usages = (await send(core, "GET", f"{path}/usages")).json()
    gone = await send(core, "DELETE", path, None, started.headers["etag"])
    await total("20.00", "coupon_unknown")

    assert (ended.status, started.status, gone.status) == (200, 200, 204)
    assert (taken.status, taken.json()["code"]) == (409, "promotion_code_taken")
    assert (usages["used"], usages["data"]) == (0, [])


def stored_conditions() -> object:
    return {
        "node": "all",
        "of": [
            {"node": "subtotal", "min": cad("15.00"), "items": {}},
            {"node": "not", "of": {"node": "country", "codes": ["US"]}},
        ],
    }


async def test_a_promotion_comes_back_as_it_was_sent(core: FastAPI) -> None:
    tiers = [
        {"from": 3, "gives": {"type": "percent_off", "ppm": 50_000}},
        {"from": 10, "gives": {"type": "amount_off", "amount": cad("1.00")}},
    ]
    body = PROMOTION | {
        "kind": "line", "action": {"type": "tiered", "measure": "quantity", "tiers": tiers},
        "items": {"products": [str(product_id(0))]}, "budget": cad("99.50"),
        "usage_limit": 7, "starts_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    promotion = await made(core, "/promotions", body)
    read = await send(core, "GET", f"/promotions/{promotion['id']}")

    found = read.json()
    assert found == promotion
    assert found["action"] == body["action"]
    assert found["items"] == body["items"]
    assert found["budget"] == body["budget"]
    assert found["conditions"]["of"][1] == {
        "node": "not",
        "of": {"node": "country", "codes": ["US"]},
    }
    page = (await send(core, "GET", "/promotions")).json()
    assert [one["id"] for one in page["data"]] == [promotion["id"]]


async def test_canadian_taxes_come_with_the_core(core: FastAPI) -> None:
    first = await made(core, "/standard-tax-rules", {"countries": ["CA", "GB", "DE"]})
    again = await made(core, "/standard-tax-rules", {"countries": ["CA", "GB", "DE"]})
    assert (first["written"], again["written"]) == (22, 0)
    expected = {
        "AB": "0.50", "BC": "1.20", "MB": "1.20", "NB": "1.50", "NL": "1.50", "NS": "1.40",
        "NT": "0.50", "NU": "0.50", "ON": "1.30", "PE": "1.50", "QC": "1.50", "SK": "1.10",
        "YT": "0.50",
    }  # fmt: skip
    found = {}
    for region in expected:
        destination = {"country": "CA", "region": region}
        quote = await quoted(core, destination=destination, at="2026-06-01T00:00:00Z")
        found[region] = quote["tax"]["amount"]
    assert found == expected

    quebec = await quoted(core, destination={"country": "CA", "region": "QC"})
    assert [(one["code"], one["amount"]["amount"]) for one in quebec["taxes"]] == [
        ("GST", "0.50"), ("QST", "1.00"),
    ]  # fmt: skip
    before = await quoted(
        core, destination={"country": "CA", "region": "NS"}, at="2025-03-31T12:00:00Z"
    )
    somewhere = await quoted(core, destination={"country": "CA"})
    abroad = await quoted(core, destination={"country": "FR"})
    assert before["tax"]["amount"] == "1.50"
    assert (somewhere["tax_known"], somewhere["tax"]["amount"]) == (False, "0.00")
    assert (abroad["tax_known"], abroad["tax"]["amount"]) == (True, "0.00")


async def test_exemptions_classes_and_rounding_are_decided_by_the_tenant(core: FastAPI) -> None:
    await made(core, "/standard-tax-rules", {"countries": ["DE"]})
    customer = str(UUID(int=0xC057))
    here = {"country": "DE"}
    reduced = await send(
        core, "PUT", f"/tax-classes/{product_id(0)}", {"target": "product", "tax_class": "reduced"}
    )
    assert (reduced.status, (await quoted(core, destination=here))["tax"]["amount"]) == (
        200,
        "0.70",
    )
    body = {"subject_type": "customer", "subject_id": customer, "country": "DE"}
    exemption = await made(core, "/tax-exemptions", body)
    exempt = await quoted(core, destination=here, buyer={"customer_id": customer})
    assert exempt["tax"]["amount"] == "0.00"
    gone = await send(core, "DELETE", f"/tax-exemptions/{exemption['id']}")
    assert gone.status == 204
    paying = await quoted(core, destination=here, buyer={"customer_id": customer})
    assert paying["tax"]["amount"] == "0.70"

    settings = {"tax_rounding": "unit_price", "rounding": "half_even"}
    put = await send(core, "PUT", "/tax-settings", settings)
    assert put.json() == (await send(core, "GET", "/tax-settings")).json() == settings
    rules = (await send(core, "GET", "/tax-rules?country=DE")).json()["data"]
    rule = next(one for one in rules if one["tax_class"] == "reduced")
    seen = await send(core, "GET", f"/tax-rules/{rule['id']}")
    fields = ("code", "name", "country", "region", "tax_class", "source")
    changed = await send(
        core, "PUT", f"/tax-rules/{rule['id']}",
        {name: rule[name] for name in fields} | {"ppm": 80_000}, seen.headers["etag"],
    )  # fmt: skip
    assert changed.status == 200
    assert (await quoted(core, destination=here))["tax"]["amount"] == "0.80"


async def test_changes_are_told_and_put_down(core: FastAPI, core_url: str) -> None:
    await made(core, "/promotions", PROMOTION)
    await list_of_prices(core, "sale", "promo", "9.50")

    async with core_database(core_url) as database, database.writing() as uow:
        await uow.outbox.number(100)
        told = {one.event.type for one in await uow.outbox.page(EventQuery(0, 100))}
        await uow.audit.seal(100)
        written = {one.written.action for one in await uow.audit.page(AuditQuery(0, 100))}

    assert {
        "pricing.promotion.created.v1", "pricing.price_list.created.v1", "pricing.price.changed.v1",
    } <= told  # fmt: skip
    assert {"promotion.created", "price_list.created", "price.changed"} <= written
