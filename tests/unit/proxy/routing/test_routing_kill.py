"""The kill switch: what it sends to legacy, what it leaves, and how it is written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import (
    BASIS_POINTS,
    Kill,
    KillError,
    Side,
    Stage,
    Unmirrored,
    Why,
    decide,
    explanation,
    killed,
    parse_kill,
)
from tests.support.routing_tables import domain, head, table

STAGES = table(
    *(domain(str(stage), stage, BASIS_POINTS if stage is Stage.CANARY else 0) for stage in Stage)
)
WORDS = ["all", "canary", "shadow", "domain:core", "shadow:core", "domain:retired", "domain:x"]
KILLS = st.lists(st.sampled_from(WORDS), max_size=5).map(lambda words: parse_kill(",".join(words)))


def sides(kill: str, method: str = "GET") -> dict[str, str]:
    """Domain to "side" or "side+shadow"."""
    rules = killed(STAGES, parse_kill(kill))
    found = {}
    for name in map(str, Stage):
        decision = decide(head(f"/{name}/1", method=method, shopper="s"), rules)
        found[name] = f"{decision.side}{'+' if decision.shadow else ''}"
    return found


@pytest.mark.parametrize(
    ("kill", "expected"),
    [
        ("", "legacy legacy+ core+ core+ core"),
        ("all", "legacy legacy legacy legacy core"),
        ("canary", "legacy legacy+ legacy core+ core"),
        ("shadow", "legacy legacy core core core"),
        ("shadow:core", "legacy legacy+ core+ core core"),
        ("domain:core", "legacy legacy+ core+ legacy core"),
        ("domain:retired", "legacy legacy+ core+ core+ core"),
        ("domain:unknown", "legacy legacy+ core+ core+ core"),
        ("domain:core, shadow:canary", "legacy legacy+ core legacy core"),
    ],
)
def test_each_scope_switches_off_what_it_names(kill: str, expected: str) -> None:
    assert list(sides(kill).values()) == expected.split()


def test_writes_are_switched_as_reads_are() -> None:
    rules = table(domain("cart", Stage.CORE, methods=("GET", "POST", "DELETE")))

    for method in ("GET", "POST", "DELETE"):
        decision = decide(head("/cart/1", method=method), killed(rules, parse_kill("all")))
        assert (decision.side, decision.why) == (Side.LEGACY, Why.KILLED)


def test_a_pilot_does_not_get_past_a_kill() -> None:
    rules = killed(STAGES, parse_kill("canary"))

    assert decide(head("/canary/1", x_banyan_pilot="internal"), rules).side is Side.LEGACY


def test_a_killed_table_shows_it_and_is_lifted_without_a_trace() -> None:
    dead = killed(STAGES, parse_kill("all"))

    assert dead.revision == "0123456789ab+kill"
    assert killed(dead, parse_kill("shadow")).revision == "0123456789ab+kill"
    assert killed(killed(dead, parse_kill("shadow")), Kill()) == STAGES
    assert dead.domains == STAGES.domains
    assert decide(head("/core/1"), dead).revision == dead.revision


def test_explain_names_the_scope_that_decided() -> None:
    told = explanation(decide(head("/core/1"), killed(STAGES, parse_kill("domain:core"))))

    assert told["kill"] == "domain:core"
    assert told["stage"] == "legacy"
    assert told["reason"] == (
        "core is switched off by kill domain:core, so legacy answers;"
        " not mirrored, because that is switched off."
    )


def test_what_was_not_mirrored_anyway_is_not_said_to_be_switched_off() -> None:
    rules = killed(STAGES, parse_kill("shadow"))

    assert decide(head("/legacy/1"), rules).unmirrored is Unmirrored.STAGE
    assert decide(head("/shadow/1"), rules).unmirrored is Unmirrored.KILLED


@given(KILLS)
def test_a_kill_is_written_as_it_is_read(kill: Kill) -> None:
    assert parse_kill(str(kill)) == kill
    assert bool(kill) == bool(str(kill))


@given(KILLS, KILLS)
def test_no_scope_switches_anything_on(one: Kill, more: Kill) -> None:
    for name in map(str, Stage):
        before, after = (
            decide(head(f"/{name}/1", shopper="s"), killed(STAGES, kill))
            for kill in (one, one | more)
        )
        assert after.side is before.side or after.side is Side.LEGACY
        assert after.shadow is None or after.shadow is before.shadow


def test_remarks_spaces_and_lines_are_no_scopes() -> None:
    text = "# why: the core lost its disk\ndomain:core  domain:cart # both\n\n shadow,,\n"

    assert parse_kill(text) == Kill(shadow=True, domains=frozenset(("core", "cart")))
    assert parse_kill("  # nothing\n") == Kill()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("everything", '"everything" is no scope'),
        ("domain", '"domain" is no scope'),
        ("domain:", '"" is no name of a domain'),
        ("domain:Cart", '"Cart" is no name'),
        ("canary:cart", '"canary:cart" is no scope'),
        ("all;canary", "is no scope"),
        ("x" * 70_000, "longer than"),
    ],
)
def test_a_word_that_is_no_scope_is_refused_with_the_way_out(text: str, part: str) -> None:
    with pytest.raises(KillError) as caught:
        parse_kill(text)

    assert part in str(caught.value)
    assert "domain:NAME" in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_a_kill_or_a_kill_error(text: str) -> None:
    try:
        kill = parse_kill(text)
    except KillError:
        return

    assert parse_kill(str(kill)) == kill


def test_names_that_no_domain_has_can_be_told() -> None:
    kill = parse_kill("domain:core, domain:cart, shadow:nowhere")

    assert kill.strangers(STAGES.domains) == ("cart", "nowhere")


def test_fallback_is_for_safe_methods_that_the_core_answers() -> None:
    def made(stage: Stage, share: int = 0) -> bool:
        found = replace(domain("a", stage, share, methods=("GET", "POST")), fallback=True)
        return decide(head("/a/1", shopper="s"), table(found)).fallback

    assert [made(stage, 0) for stage in Stage] == [False, False, False, True, False]
    assert made(Stage.CANARY, BASIS_POINTS)
    core = table(replace(domain("a", Stage.CORE, methods=("GET", "POST")), fallback=True))
    assert decide(head("/a/1", method="HEAD"), core).fallback
    assert not decide(head("/a/1", method="POST"), core).fallback
    assert not decide(head("/a/1"), table(domain("a", Stage.CORE))).fallback
    assert not decide(head("/a/1"), killed(core, parse_kill("all"))).fallback
