"""What the room reads out of the proxy's metrics."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cutover.api.sidedoor import requests_by_side

METRICS = """\
# HELP banyan_requests_total Requests.
# TYPE banyan_requests_total counter
banyan_requests_total{domain="catalog",route="GET /p/",side="legacy",status="2xx"} 90.0
banyan_requests_total{domain="catalog",route="GET /p/{id}/",side="legacy",status="2xx"} 9.0
banyan_requests_total{domain="catalog",route="GET /p/",side="core",status="5xx"} 1.0
# HELP banyan_unmatched_total Requests that no route matched.
# TYPE banyan_unmatched_total counter
banyan_unmatched_total 7.0
"""


def test_requests_are_summed_by_domain_and_side() -> None:
    assert requests_by_side(METRICS) == (
        {("catalog", "legacy"): 99, ("catalog", "core"): 1},
        7,
    )


@given(text=st.text(max_size=200))
def test_any_text_reads_as_some_count(text: str) -> None:
    answered, unmatched = requests_by_side(text)

    assert isinstance(answered, dict)
    assert unmatched >= 0
