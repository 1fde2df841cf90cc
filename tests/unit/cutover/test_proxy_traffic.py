"""What the proxy's metrics say of both sides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cutover.core.live import Tally, writes_apart
from cutover.edge.proxy_traffic import counted_in
from proxy.routing import Domain, Route, Side, Stage

TEXT = """\
# HELP banyan_requests_total Answers given to clients, by whoever gave them.
# TYPE banyan_requests_total counter
banyan_requests_total{domain="catalog",method="GET",route="GET /c",side="core",stage="canary",status_class="2xx"} 90
banyan_requests_total{domain="catalog",method="GET",route="GET /c",side="core",stage="canary",status_class="5xx"} 4
banyan_requests_total{domain="catalog",method="POST",route="POST /c",side="core",stage="canary",status_class="4xx"} 6
banyan_requests_total{domain="catalog",method="GET",route="GET /c",side="legacy",stage="canary",status_class="2xx"} 50
# TYPE banyan_fallback_total counter
banyan_fallback_total{domain="catalog",reason="timeout"} 3
# TYPE banyan_spool_bytes gauge
banyan_spool_bytes 17
# TYPE banyan_request_duration_seconds histogram
banyan_request_duration_seconds_bucket{domain="catalog",le="0.01",route="GET /c",side="core"} 60
banyan_request_duration_seconds_bucket{domain="catalog",le="0.025",route="GET /c",side="core"} 94
banyan_request_duration_seconds_bucket{domain="catalog",le="+Inf",route="GET /c",side="core"} 94
banyan_request_duration_seconds_bucket{domain="catalog",le="0.01",route="POST /c",side="core"} 2
banyan_request_duration_seconds_bucket{domain="catalog",le="0.025",route="POST /c",side="core"} 5
banyan_request_duration_seconds_bucket{domain="catalog",le="+Inf",route="POST /c",side="core"} 6
banyan_request_duration_seconds_sum{domain="catalog",route="GET /c",side="core"} 1.5
"""  # noqa: E501 - as it comes


def test_answers_errors_and_times_are_summed_over_routes_and_methods() -> None:
    found = counted_in(TEXT)

    core = found["catalog", Side.CORE]
    assert core.within == {10_000: 62, 25_000: 37}
    assert (core.answers, core.errors) == (90 + 4 + 6 + 3, 4 + 3)
    assert found["catalog", Side.LEGACY].answers == 50


def test_an_answer_of_legacy_in_the_cores_place_is_the_cores_error() -> None:
    without = counted_in(TEXT.replace("banyan_fallback_total{", "banyan_other_total{"))

    assert counted_in(TEXT)["catalog", Side.CORE].errors - without["catalog", Side.CORE].errors == 3


def test_slow_is_what_no_bound_holds_too() -> None:
    core = counted_in(TEXT)["catalog", Side.CORE]

    assert core.slower_than(25_000) == core.answers - 99


@pytest.mark.parametrize("text", ["", "<html>", "banyan_spool_bytes 3\n"])
def test_where_nothing_is_counted_nothing_is_found(text: str) -> None:
    assert counted_in(text) == {}


def test_a_line_that_is_torn_is_refused() -> None:
    with pytest.raises(ValueError, match="is no sample"):
        counted_in('banyan_requests_total{side="core"\n')


def test_writes_that_stay_are_held_against_nobody() -> None:
    text = """\
banyan_requests_total{domain="cart",method="GET",route="GET,POST /c",side="core",status_class="2xx"} 9
banyan_requests_total{domain="cart",method="GET",route="GET,POST /c",side="legacy",status_class="2xx"} 8
banyan_requests_total{domain="cart",method="POST",route="GET,POST /c",side="legacy",status_class="5xx"} 7
banyan_requests_total{domain="cart",method="GET",route="GET /basket",side="legacy",status_class="5xx"} 6
banyan_requests_total{domain="cart",method="GET",route="GET /r",side="legacy",status_class="2xx"} 5
banyan_request_duration_seconds_bucket{domain="cart",le="0.01",route="GET,POST /c",side="core"} 9
banyan_request_duration_seconds_bucket{domain="cart",le="0.01",route="GET /r",side="legacy"} 5
"""  # noqa: E501 - as it comes
    domain = Domain(
        "cart",
        "till",
        Stage.CANARY,
        (
            Route("cart", "/c", ("GET", "POST")),
            Route("cart", "/basket", ("GET",), has_writes=True),
            Route("cart", "/r", ("GET",)),
        ),
        writes_stay=True,
    )

    found = counted_in(text, writes_apart([domain]))

    assert found["cart", Side.CORE] == Tally(9, 0)
    assert found["cart", Side.LEGACY] == Tally(13, 0, {10_000: 5})
    assert writes_apart([replace(domain, writes_stay=False)]) == {}
