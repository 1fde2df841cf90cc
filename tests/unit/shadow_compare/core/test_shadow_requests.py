"""What the other side is sent, and who may be sent a write."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.frame import Headers
from shadow_compare.core.dry_runs import PROOF_HOLDS_S, Ability, DryRuns, Word, word_of
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
    assert side.ability("a", 0) is Ability.UNKNOWN

    side.proved("a", 0, can=True)

    assert side.ability("a", PROOF_HOLDS_S - 1) is Ability.PROVEN
    assert side.ability("a", PROOF_HOLDS_S) is Ability.UNKNOWN


def test_a_side_that_says_no_is_asked_again_later_and_sent_nothing_meanwhile() -> None:
    side = DryRuns()

    side.proved("a", 0, can=False)

    assert side.ability("a", 1) is Ability.REFUSED
    assert side.ability("a", PROOF_HOLDS_S) is Ability.UNKNOWN


def test_a_route_that_can_says_nothing_of_another_that_cannot() -> None:
    side = DryRuns()

    side.proved("stock", 0, can=True)
    side.proved("basket", 0, can=False)

    assert side.ability("stock", 1) is Ability.PROVEN
    assert side.ability("basket", 1) is Ability.REFUSED
    assert side.ability("orders", 1) is Ability.UNKNOWN


def test_a_side_that_refuses_to_run_a_write_has_broken_no_word() -> None:
    side = DryRuns()
    side.proved("a", 0, can=True)

    assert side.ran("a", 1, Word.REFUSED) is False

    assert side.ability("a", 2) is Ability.REFUSED


@given(
    later=st.lists(
        st.tuples(
            st.sampled_from(["proved", "ran"]),
            st.sampled_from(["a", "b"]),
            st.sampled_from(Word),
            st.floats(0, 1e6),
        ),
        max_size=20,
    )
)
def test_a_side_that_broke_its_word_is_never_sent_another_write(
    later: list[tuple[str, str, Word, float]],
) -> None:
    side = DryRuns()
    side.proved("a", 0, can=True)

    assert side.ran("a", 0, Word.HONOURED) is False
    assert side.ran("a", 0, Word.SILENT) is True

    for what, route, word, now_s in later:
        if what == "proved":
            side.proved(route, now_s, can=word is Word.HONOURED)
        else:
            assert side.ran(route, now_s, word) is False
        assert side.ability(route, now_s) is Ability.STOPPED


@given(st.lists(st.text(alphabet=" hHonuredfs,") | st.sampled_from(["honoured", " REFUSED "])))
def test_only_one_value_that_is_the_word_says_it(said: list[str]) -> None:
    word = word_of(said)

    assert (word is Word.SILENT) == (
        len(said) != 1 or said[0].strip().lower() not in ("honoured", "refused")
    )
    if word is not Word.SILENT:
        assert said[0].strip().lower() == word
