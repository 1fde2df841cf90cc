"""What the other side is sent, and who may be sent a write."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.frame import Headers
from shadow_compare.core.dry_runs import PROOF_HOLDS_S, Ability, DryRuns
from shadow_compare.core.shadow_request import shadow_headers
from tests.support.comparing import frame

MARK = "[hmac:0123456789abcdef]"
NAMES = st.sampled_from(
    ["Host", "Cookie", "Authorization", "X-Banyan-Shadow", "Banyan-Dry-Run", "Connection", "Accept"]
)
HEADERS = st.lists(st.tuples(NAMES, st.sampled_from(["1", MARK, "keep-alive, Accept"])))


def names(headers: list[tuple[str, str]]) -> list[str]:
    return [name.lower() for name, _ in headers]


@given(headers=HEADERS)
def test_a_question_is_marked_once_and_asks_for_nothing_that_a_shopper_said(
    headers: list[tuple[str, str]],
) -> None:
    sent = shadow_headers(frame(request_headers=tuple(headers)))

    assert names(sent).count("x-banyan-shadow") == 1
    assert sent[-1] == ("X-Banyan-Shadow", "run-1-1")
    assert not {"banyan-dry-run", "connection"} & {*names(sent)}
    assert all(MARK not in value for _, value in sent)


def test_credentials_that_were_let_through_stand_in_for_their_hash() -> None:
    shopper: Headers = (("Host", "shop.example"), ("Cookie", MARK), ("Authorization", MARK))

    sent = shadow_headers(frame(request_headers=shopper), (("Cookie", "sessionid=7"),))

    assert [value for name, value in sent if name == "Cookie"] == ["sessionid=7"]
    assert "authorization" not in names(sent)


@given(
    opened=st.lists(st.tuples(NAMES, st.just("of the shopper"))),
    headers=HEADERS,
)
def test_what_a_rule_sets_goes_before_all_else(
    opened: list[tuple[str, str]], headers: list[tuple[str, str]]
) -> None:
    sent = shadow_headers(
        frame(request_headers=tuple(headers)), tuple(opened), {"authorization": "of the rule"}
    )

    assert [v for n, v in sent if n.lower() == "authorization"] == ["of the rule"]


def test_a_side_is_asked_before_it_is_sent_a_write_and_asked_again_after_a_minute() -> None:
    side = DryRuns()
    assert side.ability(0) is Ability.UNKNOWN

    side.proved(0, can=True)

    assert side.ability(PROOF_HOLDS_S - 1) is Ability.PROVEN
    assert side.ability(PROOF_HOLDS_S) is Ability.UNKNOWN


def test_a_side_that_says_no_is_asked_again_later_and_sent_nothing_meanwhile() -> None:
    side = DryRuns()

    side.proved(0, can=False)

    assert side.ability(1) is Ability.REFUSED
    assert side.ability(PROOF_HOLDS_S) is Ability.UNKNOWN


@given(
    later=st.lists(
        st.tuples(st.sampled_from(["proved", "ran"]), st.booleans(), st.floats(0, 1e6)), max_size=20
    )
)
def test_a_side_that_broke_its_word_is_never_sent_another_write(
    later: list[tuple[str, bool, float]],
) -> None:
    side = DryRuns()
    side.proved(0, can=True)

    assert side.ran(honoured=True) is False
    assert side.ran(honoured=False) is True

    for what, said, now_s in later:
        if what == "proved":
            side.proved(now_s, can=said)
        else:
            assert side.ran(honoured=said) is False
        assert side.ability(now_s) is Ability.STOPPED
