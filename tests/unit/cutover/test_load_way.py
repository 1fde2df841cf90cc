"""How much a load test asks for, by which way, and when it may not, or has to end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.load_way import (
    Live,
    hurt_because,
    phases,
    refused_because,
    routes,
    visitors,
)
from proxy.routing import LoadProfile, Pilot, Stage
from tests.support.routing_tables import domain, table

PILOTS = (Pilot((("x-pilot", "yes"),)),)


@given(st.sampled_from(LoadProfile), st.floats(0.1, 1_000), st.floats(1, 3_600))
def test_a_profile_lasts_as_long_as_was_asked(
    profile: LoadProfile, base: float, duration_s: float
) -> None:
    asked = phases(profile, base, duration_s)

    assert sum(length for length, _ in asked) == pytest.approx(duration_s)
    most = {LoadProfile.ONE: 1, LoadProfile.THREE: 3}.get(profile, 10)
    assert max(rate for _, rate in asked) == pytest.approx(most * base)


def test_a_spike_comes_and_goes() -> None:
    assert [rate for _, rate in phases(LoadProfile.SPIKE, 5, 30)] == [5, 50, 5]


def test_there_are_as_many_visitors_as_pause_so_long_between_so_many_requests() -> None:
    asked = phases(LoadProfile.THREE, 10, 60)

    assert visitors(asked, 4.0) == 120
    assert visitors(asked, None) == 30
    assert visitors(asked, 600.0) == 300
    assert visitors(phases(LoadProfile.ONE, 0.1, 60), None) == 4


@pytest.mark.parametrize(
    ("stage", "sides", "through"),
    [
        (Stage.SHADOW, ("legacy",), True),
        (Stage.SHADOW, ("core",), False),
        (Stage.SHADOW, ("legacy", "core"), False),
        (Stage.CANARY, ("legacy", "core"), True),
        (Stage.CORE, ("core",), True),
        (Stage.CORE, ("legacy",), False),
    ],
)
def test_the_proxy_is_gone_through_where_it_can_be_told_the_side(
    stage: Stage, sides: tuple[str, ...], through: bool
) -> None:
    of = replace(domain("catalog", stage, 500), pilots=PILOTS)

    found = routes(sides, of, proxy=True)

    assert [way.through for way in found] == [through] * len(sides)
    assert not any(way.through for way in routes(sides, of, proxy=False))


def test_both_sides_are_asked_by_the_same_way_or_not_compared() -> None:
    without = domain("catalog", Stage.CANARY, 500, pilots=())

    assert not any(way.through for way in routes(("legacy", "core"), without, proxy=True))


def test_in_canary_a_pilot_gets_the_core_and_one_without_a_key_legacy() -> None:
    of = replace(domain("catalog", Stage.CANARY, 500), pilots=PILOTS)

    legacy, core = routes(("legacy", "core"), of, proxy=True)

    assert (legacy.headers, legacy.way.must_be) == ((), "legacy")
    assert (core.headers, core.way.must_be) == ((("x-pilot", "yes"),), "core")


def test_who_answers_shoppers_is_not_loaded_without_being_asked_outright() -> None:
    shadow = table(domain("catalog", Stage.SHADOW), domain("cart", Stage.CORE))
    canary = table(domain("catalog", Stage.CANARY, 500))

    assert "legacy answers 100 % of the shoppers of catalog" in refused_because(("legacy",), shadow)
    assert "of cart" in refused_because(("core",), shadow)
    assert refused_because(("core",), canary) == ""
    assert "--yes" in refused_because(("legacy", "core"), canary)
    assert refused_because(("legacy", "core"), None) == ""
    assert "the proxy answers 100 %" in refused_because(("proxy",), canary)


def test_a_load_ends_when_shoppers_meet_clearly_more_errors() -> None:
    before = Live(10_000, 50)

    assert hurt_because(before, Live(10_015, 65)) == ""  # too few to say
    assert hurt_because(before, Live(10_100, 51)) == ""
    assert "shoppers met errors: 5 of 100" in hurt_because(before, Live(10_100, 55))
    assert hurt_because(Live(), Live()) == ""
