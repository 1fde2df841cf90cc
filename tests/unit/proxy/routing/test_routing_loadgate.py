"""`gates.loadtest` of a routing file: what is read, and what is refused where."""

from __future__ import annotations

import pytest

from proxy.routing import LoadGate, LoadProfile
from tests.unit.proxy.routing.test_routing_stepping import catalog, problems


def test_a_gate_of_load_tests_is_read() -> None:
    found = catalog(
        "    gates: {loadtest: {profile: 3x, p99: 1.2x, errors: 0.5%, max_age: 2d,"
        " requests: 500, rate: 20}}\n"
    )

    assert found.load_gate == LoadGate(LoadProfile.THREE, 1_200, 5_000, 2 * 86_400.0, 500, 20)


def test_most_of_it_has_a_usual_value() -> None:
    found = catalog("    gates: {loadtest: {profile: spike, p99: 2x}}\n")

    assert found.load_gate == LoadGate(LoadProfile.SPIKE, 2_000, 1_000, 7 * 86_400.0, 1_000)


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("{}", "profile"),
        ("{profile: 3x}", "p99"),
        ("{profile: 4x, p99: 1x}", "profile"),
        ("{profile: 3x, p99: 1.2}", "p99"),
        ("{profile: 3x, p99: 0x}", "p99"),
        ("{profile: 3x, p99: 1x, errors: many}", "errors"),
        ("{profile: 3x, p99: 1x, max_age: 1s}", "max_age"),
        ("{profile: 3x, p99: 1x, requests: 5}", "requests"),
        ("{profile: 3x, p99: 1x, rate: 0}", "rate"),
        ("{profile: 3x, p99: 1x, colour: red}", "colour"),
        ("[]", "loadtest"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(said: str, place: str) -> None:
    assert any(place in one for one in problems(f"    gates: {{loadtest: {said}}}\n"))
