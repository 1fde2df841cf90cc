"""What is typed and what it is found in are folded alike; slips of the finger are forgiven."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from new_core.domain.assortment import AssortmentRule, RuleKind, Visible
from new_core.domain.search import (
    LONGEST_WORD,
    Term,
    most_alike,
    slips_allowed,
    slips_between,
    terms_of,
    words_of,
)

WORDS = st.text("abcdef", min_size=1, max_size=9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Café-Crème №5", ("cafe", "creme", "no5")),
        ("  Straße\tÆon ", ("strasse", "æon")),
        ("O'Reilly's 2nd_edition", ("o", "reilly", "s", "2nd", "edition")),
        ("…!?", ()),
        ("東京 タワー", ("東京", "タワー")),
    ],
)
def test_words_are_small_and_without_accents(text: str, words: tuple[str, ...]) -> None:
    assert words_of(text) == words


@given(st.text(max_size=200))
def test_folding_twice_is_folding_once(text: str) -> None:
    once = words_of(text)

    assert words_of(" ".join(once)) == once
    assert all(0 < len(one) <= LONGEST_WORD for one in once)


@given(WORDS, WORDS)
def test_slips_are_the_same_both_ways_and_none_only_for_the_same_word(one: str, two: str) -> None:
    there, back = slips_between(one, two, 9), slips_between(two, one, 9)

    assert there == back
    assert (there == 0) == (one == two)
    assert there <= max(len(one), len(two))


@given(WORDS, WORDS, st.integers(0, 3))
def test_a_bound_changes_nothing_but_what_lies_beyond_it(one: str, two: str, most: int) -> None:
    assert slips_between(one, two, most) == min(slips_between(one, two, 99), most + 1)


@given(WORDS.filter(lambda word: len(word) > 1), st.data())
def test_two_neighbours_exchanged_are_one_slip(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 2))
    slipped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    assert slips_between(word, slipped, 3) == (0 if slipped == word else 1)


def test_short_words_and_numbers_are_taken_as_typed() -> None:
    assert [slips_allowed(one) for one in ("ab", "abc", "9781234567897", "algorithm")] == [
        0,
        1,
        0,
        2,
    ]


def test_only_the_most_alike_words_are_taken_for_what_was_typed() -> None:
    assert most_alike("hakcing", ["hacking", "packing", "hackers", "baking"]) == ("hacking",)
    assert most_alike("xyzzy", ["hacking"]) == ()


def test_the_last_word_may_be_unfinished_and_the_others_not() -> None:
    terms, corrected = terms_of(("hakcing", "exp"), {"hacking"}, {"exp"}, {"hakcing": ("hacking",)})

    assert terms == (Term(("hacking",)), Term(("exp",), is_prefix=True))
    assert corrected == (("hakcing", "hacking"),)


def test_what_an_assortment_leaves_out_no_other_rule_of_it_takes_in() -> None:
    book, shelf = uuid4(), uuid4()
    all_but = (
        AssortmentRule(includes=True, kind=RuleKind.ALL),
        AssortmentRule(False, RuleKind.CATEGORY, shelf),
        AssortmentRule(True, RuleKind.PRODUCT, book),
    )

    assert not Visible((all_but,)).shows(book, None, [shelf])
    assert Visible((all_but,)).shows(uuid4(), None, [])
    assert Visible((all_but, (AssortmentRule(True, RuleKind.PRODUCT, book),))).shows(
        book, None, [shelf]
    )
    assert not Visible(()).shows(book, None, [])
