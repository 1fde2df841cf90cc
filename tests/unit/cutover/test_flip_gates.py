"""Gates of a flip: each turns red by its own fact, and by not knowing it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.flip_gates import Drift, Facts, Freeze, Router, Stream, Unknown, gates, reds
from cutover.core.readiness import readiness
from legacy_adapters.mapping.versions import Side

_STREAM = Stream("", lag_ms=90, canary_age_s=12, dirty=0, parked=0)
GREEN = Facts(
    domain="orders",
    target=Side.CORE,
    budget_ms=3_000,
    gates=("legacy 1", "legacy 1"),
    backfilled=True,
    there=_STREAM,
    back=replace(_STREAM, canary_age_s=7),
    rogues=0,
    drift=Drift(0, 3_600),
    numbers=(),
    transaction_s=0.2,
    log="",
    schema=(),
    router=Router("", ("cart", "checkout")),
    rehearsed=Freeze(180, 3_600),
)
_JUDGED = [
    field.name for field in fields(Facts) if field.name not in ("domain", "target", "budget_ms")
]

REDS: list[tuple[str, dict[str, Any]]] = [
    ("ownership", {"gates": ("none 2", "legacy 1")}),
    ("backfill", {"backfilled": False}),
    ("stream", {"there": replace(_STREAM, problem="column x is gone")}),
    ("stream", {"there": replace(_STREAM, canary_age_s=30)}),
    ("way back", {"back": replace(_STREAM, canary_age_s=31)}),
    ("way back", {"back": replace(_STREAM, canary_age_s=None)}),
    ("lag", {"there": replace(_STREAM, lag_ms=1_000)}),
    ("parked", {"there": replace(_STREAM, parked=1)}),
    ("parked", {"back": replace(_STREAM, parked=1)}),
    ("rogue writes", {"rogues": 1}),
    ("drift", {"drift": Drift(1, 60)}),
    ("last clean pass", {"drift": Drift(0, 86_400)}),
    ("last clean pass", {"drift": Drift(0, None)}),
    ("numbers", {"numbers": ("baskets: 7 is in use",)}),
    ("open transactions", {"transaction_s": 5.0}),
    ("log", {"log": "over half of the limit"}),
    ("definitions", {"schema": ("order_line",)}),
    ("proxy", {"router": Router("nothing listens", ("cart",))}),
    ("proxy", {"router": Router("", ("cart",), ("checkout",))}),
    ("proxy", {"router": Router("", ())}),
    ("rehearsal", {"rehearsed": None}),
    ("rehearsal", {"rehearsed": Freeze(1_500, 60)}),
    ("rehearsal", {"rehearsed": Freeze(100, 86_400)}),
]


def test_a_domain_of_which_all_is_well_has_green_gates_alone() -> None:
    found = gates(GREEN)

    assert reds(found) == ()
    assert all(gate.fix == "" for gate in found)


@pytest.mark.parametrize(("name", "change"), REDS)
def test_each_gate_turns_red_alone_and_says_what_helps(name: str, change: dict[str, Any]) -> None:
    found = [gate for gate in gates(replace(GREEN, **change)) if not gate.is_green]

    assert [gate.name for gate in found] == [name]
    assert found[0].told
    assert found[0].fix


def test_every_gate_can_turn_red() -> None:
    assert {name for name, _change in REDS} == {gate.name for gate in gates(GREEN)}


@given(unknown=st.sets(st.sampled_from(_JUDGED), min_size=1))
def test_what_is_not_known_is_never_green(unknown: set[str]) -> None:
    change: dict[str, Any] = {name: Unknown("it does not answer") for name in unknown}
    facts = replace(GREEN, **change)

    told = reds(gates(facts))

    assert len(told) >= len(unknown)
    assert all("it does not answer" in sentence for sentence in told)


def test_a_rehearsal_needs_no_rehearsal() -> None:
    found = gates(replace(GREEN, rehearsed=None), is_rehearsal=True)

    assert reds(found) == ()


def test_readiness_is_one_sentence() -> None:
    found = readiness(replace(GREEN, target=Side.LEGACY))

    assert found.sentence == "rollback ready: yes, proven 12 s ago, costs about 180 ms"


def test_without_a_measured_freeze_the_lag_tells_about_what_it_costs() -> None:
    found = readiness(replace(GREEN, rehearsed=None))

    assert found.is_ready
    assert found.cost_ms == 170


def test_what_blocks_the_way_back_is_named_first() -> None:
    found = readiness(replace(GREEN, target=Side.LEGACY, rogues=2, backfilled=False))

    assert found.sentence == (
        "rollback ready: no, backfill: not every row was copied yet, and 1 more"
    )


def test_a_way_without_canaries_is_not_proven() -> None:
    found = readiness(replace(GREEN, back=Unknown("never ran")))

    assert not found.is_ready
    assert found.proven_s is None


@pytest.mark.parametrize("change", [{"drift": Drift(0, 90_000)}, {"rehearsed": None}])
def test_who_is_in_a_hurry_waits_for_no_pass_and_no_rehearsal(change: dict[str, Any]) -> None:
    assert readiness(replace(GREEN, **change)).is_ready
