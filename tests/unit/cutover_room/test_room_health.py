"""Health of both sides as pages tell it, from the text of the proxy's metrics on."""

from __future__ import annotations

import pytest

from cutover.api.counting import counts_in
from cutover.api.domainpage import domain_page
from cutover.api.healthview import health_view
from cutover.api.rendering import Renderer
from cutover.api.twins import domain_twin
from cutover.core.health import Between, Counts, Orders
from cutover.core.live import Tally
from proxy.routing import Domain, Side
from tests.unit.cutover_room.samples import a_domain, some_facts

TEXT = """\
# TYPE banyan_requests_total counter
banyan_requests_total{domain="d",method="POST",route="POST /o",side="core",stage="canary",status_class="2xx"} 90
banyan_requests_total{domain="d",method="POST",route="POST /o",side="core",stage="canary",status_class="4xx"} 6
banyan_requests_total{domain="d",method="POST",route="POST /o",side="core",stage="canary",status_class="5xx"} 4
banyan_requests_total{domain="d",method="GET",route="GET /o",side="core",stage="canary",status_class="2xx"} 7
banyan_requests_total{domain="d",method="GET",route="GET /o",side="neither",stage="canary",status_class="2xx"} 99
banyan_fallback_total{domain="d",reason="timeout"} 3
banyan_request_duration_seconds_bucket{domain="d",le="0.01",route="POST /o",side="core"} 60
banyan_request_duration_seconds_bucket{domain="d",le="0.025",route="POST /o",side="core"} 94
banyan_request_duration_seconds_bucket{domain="d",le="+Inf",route="POST /o",side="core"} 100
banyan_request_duration_seconds_bucket{domain="d",le="0.01",route="GET /o",side="core"} 7
"""  # noqa: E501 - as it comes


def test_orders_are_those_of_their_routes_alone() -> None:
    found = counts_in(TEXT, frozenset({"POST /o"}))

    assert found.answers == {("d", Side.CORE): Tally(110, 7)}
    assert found.orders == {("d", Side.CORE): Orders(100, 90, {10_000: 60, 25_000: 34})}


@pytest.mark.parametrize(
    "torn",
    [
        'banyan_requests_total{domain="d",side="co',
        'banyan_requests_total{domain="d",side="core"} \n',
        'banyan_request_duration_seconds_bucket{route="POST /o",side="core"} 3\n',
    ],
)
def test_a_torn_line_is_no_reading(torn: str) -> None:
    with pytest.raises(ValueError, match=r"sample|float"):
        counts_in(torn, frozenset({"POST /o"}))


def of(legacy: tuple[int, int], core: tuple[int, int], name: str = "catalog") -> Between:
    places = {(name, Side.LEGACY): legacy, (name, Side.CORE): core}
    tallies = {place: Tally(*counted) for place, counted in places.items()}
    orders = {place: Orders(n, n - errors, {20_000: n}) for place, (n, errors) in places.items()}
    return Between(Counts(tallies, orders), Counts(), 600.0)


def catalog() -> Domain:
    return a_domain()


def test_each_side_is_told_with_its_number_and_too_few_as_that() -> None:
    view = health_view(catalog(), of((10_000, 1), (7, 0)), frozenset())

    (row,) = view.rows
    assert view.window == "Of the last 10 min."
    assert (row.legacy.text, row.legacy.known) == ("99.99 % of 10,000 answers", True)
    assert row.core.text == "not enough data yet (7 of 20 answers)"
    assert not row.core.known


def test_a_route_that_places_orders_adds_their_figures() -> None:
    known = catalog()
    view = health_view(known, of((50, 5), (200, 0)), frozenset({known.routes[0].name}))

    told = {row.name: (row.legacy.text, row.core.text) for row in view.rows}
    assert told["Orders completed"] == ("90.00 % of 50 attempts", "100 % of 200 attempts")
    assert told["50 % of orders within"] == ("20 ms", "20 ms")
    assert told["99 % of orders within"] == ("not enough data yet (50 of 100 attempts)", "20 ms")


def test_orders_slower_than_every_bucket_are_told_as_that() -> None:
    known = catalog()
    place = "catalog", Side.CORE
    between = Between(Counts({place: Tally(30)}, {place: Orders(30, 30, {20_000: 1})}))

    view = health_view(known, between, frozenset({known.routes[0].name}))

    assert view.window == "Since the proxy began to count."
    assert view.rows[2].core.text == "longer than any bucket"


def test_a_proxy_that_never_told_leaves_no_figure() -> None:
    view = health_view(catalog(), None, frozenset())

    assert view.rows == ()
    assert view.window == "The proxy has not told yet what it counted."


def test_the_domain_page_and_its_twin_tell_it() -> None:
    known = catalog()
    told = some_facts(known, health=of((10_000, 1), (7, 0)))

    page = domain_page(known, told)

    part = Renderer().domain(page).parts["health"]
    assert "99.99 % of 10,000 answers" in part
    assert "not enough data yet (7 of 20 answers)" in part
    twin = domain_twin(page)["health"]
    assert twin["window"] == "Of the last 10 min."
    assert twin["figures"][0]["legacy"]["ppm"] == 999_900
