"""Pages over HTTP, with sources that a test holds in its hands."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from html import unescape

import pytest

from cutover.api import Gatherer
from cutover.api.portfolio import overview
from cutover.api.readings import ProxyState, Reading, Table
from cutover.api.rendering import Renderer
from cutover.api.web import SECURITY_HEADERS
from proxy.routing import Stage
from tests.support.asgi import get
from tests.support.room import Sources
from tests.unit.cutover_room.samples import (
    NOW_S,
    REVISIONS,
    STORES,
    a_domain,
    a_group,
    a_store_of_evidence,
    an_example,
    some_facts,
)

EVIL = '"><script>alert(1)</script>'
FINGERPRINT = a_group().fingerprint
PAGES = ("/", "/domains/catalog", f"/mismatches/{FINGERPRINT}")


@pytest.fixture
def sources() -> Sources:
    return Sources(
        table=Table("a1b2c3d4e5f6", (a_domain(),), STORES),
        evidence=a_store_of_evidence(),
        proxy=ProxyState(ready=True, revision="a1b2c3d4e5f6", workers=2),
        revisions=REVISIONS,
        now_s=NOW_S,
    )


def words(html: str) -> str:
    """What a reader sees, on one line."""
    return " ".join(re.sub(r"<[^>]+>", "", html).replace("&#34;", '"').split())


async def test_the_first_page_says_what_a_leader_asks(sources: Sources) -> None:
    app = sources.app()
    seen = words((await get(app, "/")).text)

    assert "catalog is in stage canary 10 %; catalog is blocked by a gate" in seen
    assert "at least 99.54 % equal (95 % sure, 14,210 samples)" in seen
    assert (
        "14,310 mirrored = 14,210 compared + 40 dropped (queue full)"
        " + 10 unanswered in time + 50 waiting"
    ) in seen
    assert "incl_tax differs in price" in seen
    assert "The new core is 28 ms faster than legacy at p95." in seen


async def test_each_page_forbids_foreign_code_and_framing(sources: Sources) -> None:
    app = sources.app()
    for path in (*PAGES, "/static/room.css", "/api/overview", "/nowhere", "/domains/none"):
        answer = await get(app, path)

        assert {**SECURITY_HEADERS, **answer.headers} == {**answer.headers}, path


async def test_no_page_holds_inline_code_or_a_foreign_address(sources: Sources) -> None:
    app = sources.app()
    for path in PAGES:
        html = (await get(app, path)).text

        assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=|<style", html), path
        assert not re.search(r"""(src|href|action)=["'](https?:)?//""", html), path


async def test_whatever_names_and_bodies_hold_is_shown_as_text(sources: Sources) -> None:
    name = f"shop {EVIL}"
    sources.table = Table(EVIL, (a_domain(name, owner=EVIL),), STORES)
    group = a_group(domain=name, title=EVIL, route=EVIL, patterns=(EVIL,))
    example = an_example(
        legacy_body=f'{{"a": "{EVIL[1:]}"}}',
        core_body=f"<p>{EVIL}</p>",
        target=f"/{EVIL}",
        request_headers=((EVIL, EVIL),),
        legacy_headers=((EVIL, EVIL),),
    )
    sources.evidence.found = {group.fingerprint: (group, (example,))}
    catalog = sources.evidence.domains["catalog"]
    sources.evidence.domains[name] = replace(catalog, domain=name, epoch=EVIL)
    sources.evidence.away = None

    app = sources.app()
    first = await get(app, "/")
    link = re.search(r'href="(/domains/[^"]+)"', first.text)
    assert link is not None
    pages = [first, await get(app, link[1]), await get(app, f"/mismatches/{FINGERPRINT}")]

    for page in pages:
        assert page.status == 200
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert" in page.text


async def test_when_the_evidence_store_goes_away_the_figures_stay_greyed_with_their_age(
    sources: Sources,
) -> None:
    app = sources.app()
    await get(app, "/domains/catalog")
    sources.evidence.away = "database is locked"
    sources.now_s = NOW_S + 42

    # A page is shared for a second; ask until it is a new one.
    html = ""
    for _ in range(30):
        html = (await get(app, "/domains/catalog")).text
        if "stale" in html:
            break
        time.sleep(0.1)  # noqa: ASYNC251 - one client, nothing else runs

    seen = words(html)
    assert 'class="card stale"' in html
    assert "The evidence store does not answer (database is locked)" in seen
    assert "the figures below are from 42 s ago" in seen
    assert "at least 99.54 % equal" in seen
    assert "Gate passes" not in seen


async def test_all_domains_are_asked_for_at_once_and_each_keeps_its_last_figures_and_says_why(
    sources: Sources,
) -> None:
    gatherer = Gatherer(sources.asks(), sources.clock_s)
    before = (await gatherer.overview()).domains
    asked = sources.evidence.asked
    sources.evidence.away = "database is locked"
    domains = sources.table.domains
    sources.table = Table("r", (*domains, a_domain("young")), STORES)

    after = (await gatherer.overview()).domains

    problem = "does not answer (database is locked)"
    assert (asked, sources.evidence.asked) == (1, 2)
    assert after.keys() == {*before, "young"}
    assert {one.problem for one in after.values()} == {problem}
    assert all(after[name].stale and after[name].value == before[name].value for name in before)
    assert after["young"] == Reading(problem=problem)


async def test_with_every_source_down_the_page_stands_and_names_each(sources: Sources) -> None:
    sources.down = {"proxy", "stores", "revisions"}
    sources.evidence.away = "no such host"

    app = sources.app()
    answer = await get(app, "/")

    seen = words(answer.text)
    assert answer.status == 200
    assert "Proxy does not answer at its side door (connection refused)" in seen
    assert "New core does not answer (connection refused)" in seen
    assert "Evidence does not answer (no such host)" in seen
    assert "The ledger cannot be read (permission denied)" in seen
    assert "The platform: Proxy, New core, Legacy store and Evidence are not well." in seen
    assert "canary 10 %" in seen


async def test_without_any_table_the_first_page_says_so_and_a_domain_is_unavailable(
    sources: Sources,
) -> None:
    sources.down = {"table"}

    app = sources.app()
    first, domain = await get(app, "/"), await get(app, "/domains/catalog")

    assert "could not be read" in words(first.text)
    assert domain.status == 503
    assert "routing.yaml:3" in words(domain.text)


async def test_a_source_that_hangs_costs_the_page_its_deadline_only(sources: Sources) -> None:
    sources.table = Table("r", tuple(a_domain(f"d{n}") for n in range(60)), STORES)
    sources.evidence.delay_s = 30
    sources.evidence_deadline_s = 0.2

    app = sources.app()
    async with asyncio.timeout(sources.evidence.delay_s / 2):  # sixty waits in a row take longer
        answer = await get(app, "/")

    assert answer.status == 200
    assert "did not answer within 0.2 s" in words(answer.text)


async def test_a_mismatch_shows_the_differing_leaf_headers_and_a_command(sources: Sources) -> None:
    app = sources.app()
    html = (await get(app, f"/mismatches/{FINGERPRINT}")).text

    for side, cents in (("legacy", "08"), ("core", "07")):
        marked = (
            f'<mark><span class="vh">{side}: </span>&#34;13.<b class="hot">{cents}</b>&#34;</mark>'
        )
        assert marked in html
    assert "<mark>application/json; charset=utf-8</mark>" in html
    seen = words(html)
    assert "$.price.incl_tax other value, 0.01 lower" in seen
    assert '$.price.incl_tax is "13.08" in legacy and "13.07" in the core, 0.01 lower.' in unescape(
        seen
    )
    assert "curl -sS -i -H &#39;host: shop.example&#39;" in seen
    assert "Redacted, so left out: cookie." in seen


async def test_what_is_not_there_is_said_in_the_asked_form(sources: Sources) -> None:
    app = sources.app()
    page = await get(app, "/domains/none")
    twin = await get(app, "/api/mismatches/v1:none")
    lost = await get(app, "/api/nowhere")

    assert (page.status, twin.status, lost.status) == (404, 404, 404)
    assert "has no domain none" in words(page.text)
    assert twin.headers["content-type"] == "application/problem+json"
    assert lost.json()["detail"] == "There is nothing at /api/nowhere."


async def test_the_twins_carry_the_raw_figures_beside_the_sentences(sources: Sources) -> None:
    app = sources.app()
    first = (await get(app, "/api/overview")).json()
    domain = (await get(app, "/api/domains/catalog")).json()
    mismatch = (await get(app, f"/api/mismatches/{FINGERPRINT}")).json()

    card = first["domains"][0]
    assert (card["name"], card["stage"], card["core_share_bp"]) == ("catalog", "canary", 1_000)
    assert card["parity"]["compared"] == 14_210
    assert card["parity"]["sentence"].startswith("at least 99.54 % equal")
    account = card["accounting"]
    assert account["mirrored"] == (
        account["compared"] + account["pending"] + sum(account["losses"].values())
    )
    assert domain["routes"][0]["route"] == "GET /api/products/{id}/"
    assert domain["accepted_differences"][0]["owner"] == "merchandising"
    assert mismatch["examples"][0]["leaves"][0]["path"] == "$.price.incl_tax"
    assert mismatch["curl"]["core"].endswith(
        "'http://127.0.0.1:8082/facade/oscar/api/products/7/?fields=all'"
    )


async def test_health_metrics_and_schema_answer(sources: Sources) -> None:
    app = sources.app()
    await get(app, "/")
    health, metrics = await get(app, "/healthz"), await get(app, "/metrics")
    schema = (await get(app, "/api/openapi.json")).json()

    assert health.text == "ok"
    assert "banyan_room_draw_seconds_count 1.0" in metrics.text
    assert "banyan_room_viewers 0.0" in metrics.text
    assert set(schema["paths"]) >= {"/api/overview", "/api/domains/{name}"}


async def test_a_page_without_data_stays_under_a_hundred_kilobytes(sources: Sources) -> None:
    sources.table = Table("r", (), STORES)

    app = sources.app()
    sizes = [
        len((await get(app, path)).content)
        for path in (
            "/",
            "/static/room.css",
            "/static/room.js",
            "/static/ages.js",
            "/static/copy.js",
        )
    ]

    assert sum(sizes) < 100_000


def test_two_hundred_domains_are_all_drawn() -> None:
    stages = tuple(Stage)
    domains = tuple(a_domain(f"domain-{n:03}", stage=stages[n % 5]) for n in range(200))
    renderer = Renderer()

    fragments = renderer.overview(overview(some_facts(*domains)))
    html = renderer.live_page(fragments, stream="/events", version="x.1", now_s=NOW_S)

    assert html.count("<article") == 200
