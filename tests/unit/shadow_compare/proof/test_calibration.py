"""What drifts, which rule it asks for, and which rules it does not bear out."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import Accept
from proxy.routing.terms import RuleTerms
from shadow_compare.core.calibration import Standing, covers, justify, proposals, unrulable
from shadow_compare.core.drift import BETWEEN, Drift, DriftCounter, Nature, nature_of
from shadow_compare.core.evidence import Leaf
from tests.support.comparing import DETAIL, LIST, rule

ONE, OTHER = '"2026-11-01T10:00:00Z"', '"2026-11-01T10:00:01.5Z"'
UUIDS = (
    '"6f9619ff-8b86-4d01-b42d-00cf4fc964ff"',
    '"6f9619ff-8b86-4d01-b42d-00cf4fc964fe"',
)


def leaf(legacy: str | None, core: str | None, kind: str = "value", pattern: str = "$.a") -> Leaf:
    return Leaf(pattern, pattern, kind, legacy, core)


def drifts(*leaves: Leaf, pairs: int = 10, side: str = "legacy", route: str = LIST) -> list[Drift]:
    counter = DriftCounter(side, route)
    for one in leaves:
        counter.add([one])
    for _ in range(pairs - len(leaves)):
        counter.add([])
    return list(counter.drifts())


@pytest.mark.parametrize(
    ("found", "nature", "bound"),
    [
        ([leaf(ONE, OTHER)], Nature.TIMESTAMP, Decimal("1.5")),
        ([leaf(ONE, OTHER), leaf(ONE, ONE)], Nature.TIMESTAMP, Decimal("1.5")),
        ([leaf(ONE, '"2026-11-01T10:00:00"')], Nature.OTHER, None),
        ([leaf(*UUIDS)], Nature.UUID, None),
        ([leaf("1.25", "1.5"), leaf("3", "1")], Nature.NUMBER, Decimal(2)),
        ([leaf("[1]", "[2]", "order")], Nature.UNORDERED, None),
        ([leaf("null", None, "missing")], Nature.NULL_OR_ABSENT, None),
        ([leaf("1", None, "missing")], Nature.OTHER, None),
        ([leaf(ONE, OTHER), leaf(*UUIDS)], Nature.OTHER, None),
        ([leaf('"a"', '"b"')], Nature.OTHER, None),
        ([leaf("1", '"1"', "type")], Nature.OTHER, None),
        ([leaf("true", "false")], Nature.OTHER, None),
        ([leaf('"2026', '"2026-11')], Nature.OTHER, None),
    ],
)
def test_one_nature_has_to_explain_all_that_moved(
    found: list[Leaf], nature: Nature, bound: Decimal | None
) -> None:
    assert nature_of(found) == (nature, bound)


def test_a_field_that_moved_gets_the_narrowest_rule_with_its_evidence() -> None:
    [found] = proposals(drifts(leaf(ONE, OTHER), leaf(OTHER, ONE)))

    assert (found.path, found.accept, found.within) == ("$.a", Accept.TIMESTAMP, Decimal(5))
    assert found.routes == (LIST,)
    assert found.evidence == "legacy moved in 2 of 10 pairs, by 1.5 s at most"
    assert not found.is_last_resort


def test_only_what_nothing_explains_gets_any_and_says_so() -> None:
    [found] = proposals(drifts(leaf('"a"', '"b"')))

    assert (found.accept, found.within, found.is_last_resort) == (Accept.ANY, None, True)


def test_sides_that_move_in_different_ways_have_no_narrow_rule() -> None:
    legacy, core = drifts(leaf(ONE, OTHER)), drifts(leaf(*UUIDS), side="core")

    [found] = proposals([*legacy, *core])

    assert found.accept is Accept.ANY


def test_what_did_not_move_gets_no_rule_and_what_is_no_field_cannot_have_one() -> None:
    assert proposals(drifts()) == ()
    status = drifts(leaf("200", "404", "status", "status"))
    assert proposals(status) == ()
    assert [one.pattern for one in unrulable(status)] == ["status"]
    assert proposals(drifts(leaf(ONE, OTHER), side=BETWEEN)) == ()


@given(st.decimals(0, 10_000, places=2))
def test_a_bound_has_room_for_what_the_sample_did_not_show(reach: Decimal) -> None:
    counted = dataclasses.replace(drifts(leaf(ONE, OTHER))[1], nature=Nature.TIMESTAMP, bound=reach)

    [found] = proposals([counted])

    assert found.within is not None
    assert found.within >= 2 * reach


TIMESTAMPS = drifts(leaf(ONE, OTHER))


def test_a_rule_for_what_moves_is_justified() -> None:
    found = justify(rule("$.a", Accept.TIMESTAMP), [LIST], TIMESTAMPS)

    assert found.standing is Standing.JUSTIFIED
    assert "1 of 10" in found.why


def test_a_bound_below_what_was_seen_is_said() -> None:
    narrow = dataclasses.replace(rule("$.a", Accept.TIMESTAMP), terms=RuleTerms(within=Decimal(1)))

    assert "more than the rule forgives" in justify(narrow, [LIST], TIMESTAMPS).why


def test_a_rule_for_a_field_that_did_not_move_is_refused() -> None:
    for accept in (Accept.ANY, Accept.TIMESTAMP, Accept.UUID, Accept.UNORDERED):
        found = justify(rule("$.price", accept), [LIST], TIMESTAMPS)

        assert found.standing is Standing.REFUSED
        assert "did not move in 10 pairs" in found.why


def test_blinding_a_field_whose_movement_can_be_stated_is_refused() -> None:
    found = justify(rule("$.a", Accept.ANY), [LIST], TIMESTAMPS)

    assert found.standing is Standing.REFUSED
    assert "timestamp explains all" in found.why


def test_blinding_a_field_that_nothing_explains_is_justified() -> None:
    found = justify(rule("$.a", Accept.ANY), [LIST], drifts(leaf('"a"', '"b"')))

    assert found.standing is Standing.JUSTIFIED


def test_a_rule_that_states_how_the_sides_differ_is_systematic_but_never_a_blind_one() -> None:
    still = drifts()
    between = drifts(leaf(ONE, OTHER), side=BETWEEN)

    stated = justify(rule("$.a", Accept.TIMESTAMP), [LIST], [*still, *between])
    blind = justify(rule("$.a", Accept.ANY), [LIST], [*still, *between])

    assert stated.standing is Standing.SYSTEMATIC
    assert blind.standing is Standing.REFUSED


def test_drift_on_another_route_bears_nothing_out() -> None:
    elsewhere = drifts(leaf(ONE, OTHER), route=DETAIL)

    assert justify(rule("$.a", Accept.TIMESTAMP), [LIST], elsewhere).standing is Standing.UNPROVEN
    surveyed = [*elsewhere, *drifts()]
    assert justify(rule("$.a", Accept.TIMESTAMP), [LIST], surveyed).standing is Standing.REFUSED


def test_a_rule_that_compares_the_value_needs_no_drift() -> None:
    found = justify(rule("$.a", Accept.NUMBER_TEXT), [LIST], drifts())

    assert found.standing is Standing.JUSTIFIED


@pytest.mark.parametrize(
    ("path", "accept", "is_covered"),
    [
        ("$.a[*].t", Accept.TIMESTAMP, True),
        ("$..t", Accept.TIMESTAMP, True),
        ("$.a", Accept.ANY, True),
        ("$", Accept.ANY, True),
        ("$.a", Accept.TIMESTAMP, False),
        ("$.a[*].t", Accept.UUID, False),
        ("$.b", Accept.ANY, False),
    ],
)
def test_a_rule_covers_drift_at_its_place_and_of_its_nature(
    path: str, accept: Accept, is_covered: bool
) -> None:
    [_, moved] = drifts(leaf(ONE, OTHER, pattern="$.a[*].t"))

    assert covers(rule(path, accept), moved) is is_covered
