"""Who answers, who listens: the policy, as a table and as properties."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import (
    BASIS_POINTS,
    Decision,
    KeyKind,
    RequestHead,
    RoutingTable,
    ShadowPolicy,
    ShopperKey,
    Side,
    Stage,
    Unmirrored,
    Why,
    bucket,
    decide,
    explanation,
)
from tests.support.routing_tables import domain, head, table

SHARES = st.integers(0, BASIS_POINTS)
SHOPPERS = st.text(min_size=1, max_size=40).filter(lambda text: text == text.strip() != "")
ANY_TEXT = st.text(st.characters(), max_size=30)


@pytest.mark.parametrize(
    ("stage", "side", "shadow"),
    [
        (Stage.LEGACY, Side.LEGACY, None),
        (Stage.SHADOW, Side.LEGACY, Side.CORE),
        (Stage.CANARY, Side.LEGACY, Side.CORE),
        (Stage.CORE, Side.CORE, Side.LEGACY),
        (Stage.RETIRED, Side.CORE, None),
    ],
)
def test_the_stage_says_who_answers_and_who_is_asked_too(
    stage: Stage, side: Side, shadow: Side | None
) -> None:
    decision = decide(head(shopper="s"), table(domain(stage=stage)))

    assert (decision.side, decision.shadow) == (side, shadow)


def test_an_unmatched_request_goes_to_legacy_and_is_named_so() -> None:
    decision = decide(head("/elsewhere"), table(domain(stage=Stage.CORE)))

    assert decision.domain is None
    assert decision.route == "unmatched"
    assert (decision.side, decision.shadow) == (Side.LEGACY, None)


def test_without_a_shopper_key_a_canary_is_answered_by_legacy() -> None:
    decision = decide(head(), table(domain(share=BASIS_POINTS)))

    assert (decision.side, decision.why) == (Side.LEGACY, Why.NO_SHOPPER)


def test_a_pilot_counts_only_with_all_of_its_headers_and_only_in_canary() -> None:
    in_canary, in_shadow = table(domain(share=0)), table(domain(stage=Stage.SHADOW))

    assert decide(head(x_banyan_pilot="internal"), in_canary).side is Side.CORE
    assert decide(head(x_banyan_pilot="else"), in_canary).side is Side.LEGACY
    assert decide(head(x_banyan_pilot="internal"), in_shadow).side is Side.LEGACY


def test_the_first_shopper_key_present_counts_and_an_empty_one_does_not() -> None:
    rules = table(domain(share=1))

    both = RequestHead(
        "GET", "/catalog/7", {"x-customer-id": "c-1", "cookie": "a=1; sessionid=s-1"}
    )
    blank = RequestHead(
        "GET", "/catalog/7", {"x-customer-id": " ", "cookie": "xsessionid=no; sessionid=s-1"}
    )

    assert decide(both, rules).shopper == "c-1"
    assert decide(blank, rules).shopper == "s-1"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_an_unsafe_method_is_never_mirrored(method: str) -> None:
    rules = table(domain(stage=Stage.SHADOW, methods=(method,)))

    decision = decide(head(method=method), rules)

    assert (decision.shadow, decision.unmirrored) == (None, Unmirrored.UNSAFE_METHOD)


def test_a_mirrored_request_is_not_mirrored_again() -> None:
    decision = decide(head(x_banyan_shadow="r-0"), table(domain(stage=Stage.SHADOW)))

    assert (decision.shadow, decision.unmirrored) == (None, Unmirrored.IS_SHADOW)


@given(shopper=SHOPPERS)
def test_a_shopper_moves_exactly_when_the_share_passes_their_bucket(shopper: str) -> None:
    slot = bucket("catalog", shopper)
    below, above = (table(domain(share=share)) for share in (slot, slot + 1))

    assert decide(head(shopper=shopper), below).side is Side.LEGACY
    assert decide(head(shopper=shopper), above).side is Side.CORE
    assert decide(head(shopper=shopper), above).bucket == slot


@given(shopper=SHOPPERS, share=SHARES, path=st.sampled_from(["/catalog/1", "/catalog/2"]))
def test_a_shopper_stays_on_one_side_for_the_whole_domain(
    shopper: str, share: int, path: str
) -> None:
    rules = table(domain(share=share))

    again = decide(head(path, shopper=shopper, request_id="r-2"), rules)

    assert again.side is decide(head(shopper=shopper), rules).side


@given(shopper=SHOPPERS, shares=st.tuples(SHARES, SHARES))
def test_a_larger_share_moves_nobody_back(shopper: str, shares: tuple[int, int]) -> None:
    small, large = (table(domain(share=share)) for share in sorted(shares))

    was_moved = decide(head(shopper=shopper), small).side is Side.CORE

    assert not was_moved or decide(head(shopper=shopper), large).side is Side.CORE


@given(share=SHARES, shopper=st.none() | SHOPPERS)
def test_a_pilot_gets_the_core_at_any_share(share: int, shopper: str | None) -> None:
    decision = decide(head(shopper=shopper, x_banyan_pilot="internal"), table(domain(share=share)))

    assert (decision.side, decision.shadow) == (Side.CORE, Side.LEGACY)


@pytest.mark.parametrize("share", [100, 1_000, 5_000, 9_000])
def test_the_share_of_shoppers_on_the_core_is_the_share_asked_for(share: int) -> None:
    count = 20_000
    rules = table(domain(share=share))

    on_core = sum(
        decide(head(shopper=f"shopper-{n}"), rules).side is Side.CORE for n in range(count)
    )

    # Four standard deviations of a fair draw.
    p = share / BASIS_POINTS
    assert abs(on_core / count - p) < 4 * (p * (1 - p) / count) ** 0.5


def test_domains_draw_their_shoppers_independently_of_each_other() -> None:
    count, share = 20_000, 2_000
    names = [f"shopper-{n}" for n in range(count)]

    both = sum(bucket("cart", n) < share and bucket("catalog", n) < share for n in names)

    assert abs(both / count - 0.04) < 4 * (0.04 * 0.96 / count) ** 0.5


@pytest.mark.parametrize(("sample", "noise"), [(1_000, 500), (5_000, 10_000), (10_000, 500)])
def test_sample_and_noise_are_drawn_at_their_rate(sample: int, noise: int) -> None:
    count = 20_000
    rules = table(domain(stage=Stage.SHADOW, shadow=ShadowPolicy(sample, noise)))

    decisions = [decide(head(request_id=f"r-{n}"), rules) for n in range(count)]

    mirrored = sum(d.shadow is not None for d in decisions)
    noisy = sum(d.noise for d in decisions)
    assert abs(mirrored / count - sample / BASIS_POINTS) < 0.015
    assert abs(noisy / mirrored - noise / BASIS_POINTS) < 0.03
    assert not any(d.noise for d in decisions if d.shadow is None)


def test_the_sample_is_no_particular_set_of_shoppers() -> None:
    # A client may send its shopper key as the request id; the draws must not coincide.
    count = 20_000
    rules = table(domain(share=5_000, shadow=ShadowPolicy(5_000)))

    decisions = [decide(head(shopper=f"x-{n}", request_id=f"x-{n}"), rules) for n in range(count)]

    on_core = [d for d in decisions if d.side is Side.CORE]
    sampled = sum(d.shadow is not None for d in on_core)
    assert abs(sampled / len(on_core) - 0.5) < 0.02


@given(
    method=ANY_TEXT | st.sampled_from(["GET", "POST", "HEAD"]),
    path=ANY_TEXT | st.just("/catalog/7"),
    headers=st.dictionaries(
        st.sampled_from(["x-customer-id", "cookie", "x-banyan-pilot"]), ANY_TEXT
    ),
    request_id=ANY_TEXT,
    stage=st.sampled_from(Stage),
)
def test_deciding_never_fails(
    method: str, path: str, headers: dict[str, str], request_id: str, stage: Stage
) -> None:
    rules = table(domain(stage=stage, share=5_000, shadow=ShadowPolicy(5_000, 5_000)))

    decision = decide(RequestHead(method, path, headers, "", request_id), rules)

    assert decision.shadow is not decision.side
    assert (decision.shadow is None) == (decision.unmirrored is not None)
    assert decision.reason.endswith(".")


def test_the_order_of_domains_and_routes_decides_nothing() -> None:
    domains = (
        domain("catalog", share=5_000, paths=("/a/{id}", "/a/{rest...}", "/a/b")),
        domain("cart", Stage.CORE, paths=("/a/{id}/c", "/{any...}")),
        domain("price", Stage.SHADOW, paths=("/a/b/{id}",)),
    )
    heads = [head(path, shopper="s") for path in ("/a/b", "/a/x", "/a/b/c", "/a/x/c", "/q", "/a/")]

    answers = {tuple(decide(h, table(*order)) for h in heads) for order in permutations(domains)}

    assert len(answers) == 1


def _every_reason() -> list[tuple[Decision, str]]:
    shadowed = table(domain(stage=Stage.SHADOW))
    unsampled = table(domain(stage=Stage.SHADOW, shadow=ShadowPolicy(sample_bp=0)))
    slot = bucket("catalog", "s")

    def canary(share: int) -> RoutingTable:
        return table(domain(share=share))

    return [
        (decide(head("/x"), shadowed), "No route matches, so legacy answers"),
        (decide(head(), shadowed), "stage shadow, so legacy answers; core is asked too."),
        (decide(head(), unsampled), "the sample left it out"),
        (decide(head(), canary(1_000)), "no shopper key"),
        (decide(head(shopper="s"), canary(slot + 1)), f"bucket {slot} is below {slot + 1}"),
        (decide(head(shopper="s"), canary(slot)), f"bucket {slot} is not below {slot}"),
        (decide(head(x_banyan_pilot="internal"), canary(0)), "this is a pilot"),
    ]


@pytest.mark.parametrize(("decision", "part"), _every_reason())
def test_the_reason_says_in_one_sentence_what_decided(decision: Decision, part: str) -> None:
    assert part in decision.reason


def test_explain_answers_plain_values() -> None:
    found = explanation(decide(head(shopper="s"), table(domain(stage=Stage.CORE))))

    assert found == {
        "domain": "catalog",
        "route": "GET /catalog/{id}",
        "stage": "core",
        "side": "core",
        "shadow": "legacy",
        "bucket": None,
        "reason": "catalog is in stage core, so core answers; legacy is asked too.",
        "revision": "0123456789ab",
    }


def test_a_table_with_two_owners_of_a_request_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="is owned by a"):
        table(domain("a", paths=("/x/{id}",)), domain("b", paths=("/x/{other}",)))


def test_a_side_has_another_and_a_shopper_key_a_spelling() -> None:
    assert (Side.CORE.other, Side.LEGACY.other) == (Side.LEGACY, Side.CORE)
    assert str(ShopperKey(KeyKind.COOKIE, "sessionid")) == "cookie:sessionid"
    assert str(ShopperKey(KeyKind.TICKET)) == "ticket"
