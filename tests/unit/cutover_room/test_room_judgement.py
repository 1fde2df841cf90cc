"""Parity and its gate in words, and the light that goes with them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.api.approvalview import ApprovalsView
from cutover.api.card import card_of
from cutover.api.judgement import Light, parity_line
from cutover.api.readings import Reading
from proxy.routing import Approvals, ParityGate, Stage
from shadow_compare.core.evidence import DomainReading
from tests.unit.cutover_room.samples import (
    GATE,
    NOW_S,
    a_domain,
    a_reading,
    measured,
    some_facts,
)


def catalog_facts(reading: Reading[DomainReading]) -> dict[str, Reading[DomainReading]]:
    return {"catalog": reading}


def test_parity_reads_as_a_bound_with_its_confidence_and_its_samples() -> None:
    line = parity_line(replace(measured(14_210), lower_ppm=999_123), GATE)

    assert line.sentence == "at least 99.91 % equal (95 % sure, 14,210 samples)"


def test_too_few_samples_read_as_not_enough_data_yet() -> None:
    line = parity_line(measured(2_113), replace(GATE, samples=100))

    assert not line.known
    assert line.sentence == "not enough data yet (2,113 of about 4,104)"


def test_without_a_single_comparison_no_figure_is_shown() -> None:
    line = parity_line(measured(0), None)

    assert line.sentence == "nothing compared yet"
    assert line.so_far == ""


@given(
    matched=st.integers(0, 6_000),
    mismatched=st.integers(0, 40),
    losses=st.integers(0, 300),
    unseen=st.booleans(),
    stage=st.sampled_from(Stage),
    problem=st.sampled_from([None, "does not answer"]),
)
def test_the_light_is_green_only_where_the_evidence_shows_it(
    matched: int, mismatched: int, losses: int, unseen: bool, stage: Stage, problem: str | None
) -> None:
    domain = a_domain(stage=stage)
    known = a_reading(measured(matched, mismatched))
    account = replace(
        known.evidence.accounting,
        mirrored=matched + mismatched + losses,
        losses={"crash": losses},
        pending=0,
    )
    evidence = replace(
        known.evidence,
        accounting=account,
        routes=(),
        unseen=(domain.routes[0].name,) if unseen else (),
    )
    reading = Reading(replace(known, evidence=evidence), NOW_S, problem)

    card = card_of(domain, some_facts(domain, readings=catalog_facts(reading)))

    if card.gate.light is Light.PASS:
        assert stage in (Stage.SHADOW, Stage.CANARY, Stage.CORE)
        assert problem is None
        assert not unseen
        assert matched + mismatched >= GATE.samples
        assert evidence.overall.lower_ppm >= GATE.min_ppm
        assert losses * 1_000_000 <= GATE.max_loss_ppm * account.mirrored
    if card.parity is not None and not card.parity.known:
        assert card.gate.light is not Light.PASS


def test_a_gate_that_waits_says_for_how_many_and_the_next_step_repeats_it() -> None:
    reading = Reading(a_reading(measured(2_113)), NOW_S)

    card = card_of(a_domain(), some_facts(readings=catalog_facts(reading)))

    assert card.gate.light is Light.INCONCLUSIVE
    assert card.next_step == (
        "Advance to a larger share, or core: needs 887 more samples (2,113 of 3,000)."
    )


def test_a_gate_that_passes_says_what_would_turn_it() -> None:
    reading = Reading(a_reading(measured(9_000)), NOW_S)

    card = card_of(a_domain(), some_facts(readings=catalog_facts(reading)))

    assert card.gate.light is Light.PASS
    assert card.gate.sentences == ("99.9 % asked; turns when the bound falls below that",)
    assert card.next_step.endswith("may go ahead.")


@pytest.mark.parametrize(
    ("stage", "share_bp", "approvals", "says"),
    [
        (Stage.SHADOW, 0, ApprovalsView(missing="1 more person must say yes."),
         "Open the canary: 1 more person must say yes."),
        (Stage.SHADOW, 0, ApprovalsView(to="canary"), "Open the canary: may go ahead."),
        (Stage.SHADOW, 0, None, "Open the canary: may go ahead once 2 people have said yes."),
        (Stage.SHADOW, 0, ApprovalsView(problem="The ledger does not answer."),
         "Open the canary: may go ahead once 2 people have said yes."),
        # A larger share asks nobody.
        (Stage.CANARY, 500, ApprovalsView(missing="2 more people must say yes."),
         "Advance to a larger share, or core: may go ahead (core: 2 more people must say yes)."),
        (Stage.CANARY, 10_000, ApprovalsView(missing="2 more people must say yes."),
         "Advance to core: 2 more people must say yes."),
    ],
)  # fmt: skip
def test_a_step_whose_evidence_passes_says_whose_yes_is_missing(
    stage: Stage, share_bp: int, approvals: ApprovalsView | None, says: str
) -> None:
    domain = replace(
        a_domain(), stage=stage, core_share_bp=share_bp, approvals=Approvals(2, 86_400)
    )
    facts = some_facts(domain, readings=catalog_facts(Reading(a_reading(measured(9_000)), NOW_S)))

    assert card_of(domain, facts, approvals).next_step == says


def test_a_step_that_waits_for_evidence_says_that_first() -> None:
    domain = replace(a_domain(), approvals=Approvals(2, 86_400))
    facts = some_facts(domain, readings=catalog_facts(Reading(a_reading(measured(2_113)), NOW_S)))

    card = card_of(domain, facts, ApprovalsView(missing="2 more people must say yes."))

    assert card.next_step.endswith("needs 887 more samples (2,113 of 3,000).")


def test_evidence_that_cannot_be_confirmed_turns_a_green_gate_to_unknown() -> None:
    reading = Reading(a_reading(measured(9_000)), NOW_S - 60, "does not answer")

    card = card_of(a_domain(), some_facts(readings=catalog_facts(reading)))

    assert card.gate.light is Light.INCONCLUSIVE
    assert card.gate.word == "Unknown"
    assert card.parity is not None
    assert card.evidence_as_of_s == NOW_S - 60


def test_a_domain_without_a_gate_has_no_light() -> None:
    missing = card_of(a_domain(parity_gate=None), some_facts())
    waived = card_of(a_domain(parity_gate=None, ungated=True), some_facts())

    assert (missing.gate.light, waived.gate.light) == (Light.OFF, Light.OFF)
    assert "no parity gate is set" in missing.next_step
    assert waived.next_step.endswith("may go ahead.")


def test_a_gate_asking_for_all_of_a_whole_still_names_a_number() -> None:
    line = parity_line(measured(10), ParityGate(1_000_000, 9_500, 500))

    assert line.needed == 500


def test_where_writes_stay_the_card_its_track_and_its_next_step_say_so() -> None:
    domain = replace(a_domain(stage=Stage.CORE, core_share_bp=0), writes_stay=True)

    card = card_of(domain, some_facts(domain))

    assert "Writes go to legacy." in card.split
    (here,) = [step for step in card.steps if step.place == "here"]
    assert here.words == "core (reads)"
    assert card.next_step.startswith("Advance to core with its writes: ")
