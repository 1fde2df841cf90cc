"""What each kind of rule forgives, and where it stops."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing import Accept, CompareRule, Ignore, Minor, RuleTerms, Same
from shadow_compare.core.verdict import Outcome
from tests.support.comparing import rule
from tests.support.judging import answer, places, verdict

BARE = RuleTerms()
CENT = RuleTerms(within=Decimal("0.01"))
FIVE_S = RuleTerms(within=Decimal(5))
DAY = RuleTerms(same=Same.DAY, formats=("%d.%m.%Y",))
MINOR_CORE = RuleTerms(minor=Minor.CORE)
YEN = RuleTerms(minor=Minor.CORE, digits=0)
ANY_HOST = RuleTerms(hosts=("any",))
TWO_HOSTS = RuleTerms(hosts=("new.example", "old.example:8080"))
LOOSE = RuleTerms(ignore=(Ignore.CASE, Ignore.NFC, Ignore.SPACE))


@pytest.mark.parametrize(
    ("accept", "terms", "legacy", "core"),
    [
        (Accept.TIMESTAMP, FIVE_S, "2026-01-01T10:00:00Z", "2026-01-01T11:00:05+01:00"),
        (Accept.TIMESTAMP, FIVE_S, "2026-01-01T10:00:00", "2026-01-01T09:59:55"),
        (Accept.DATE, BARE, "2026-01-01T10:00:00Z", 1767261600),
        (Accept.DATE, BARE, 1767261600, "1767261600000"),
        (Accept.DATE, BARE, "Thu, 01 Jan 2026 10:00:00 GMT", "2026-01-01T11:00:00+01:00"),
        (Accept.DATE, BARE, 1767261600.5, "2026-01-01T10:00:00.5Z"),
        (Accept.DATE, DAY, "2026-01-01", "01.01.2026"),
        (Accept.DATE, DAY, "2026-01-01T23:30:00+01:00", "2026-01-01"),
        (Accept.MONEY, BARE, "12.50", 12.5),
        (Accept.MONEY, BARE, "12,50 €", "EUR 12.50"),
        (Accept.MONEY, BARE, "1,234.50", "1.234,50"),
        (Accept.MONEY, BARE, "1'234'567", "1,234,567.00"),
        (Accept.MONEY, BARE, "-£3", "-3.00"),
        (Accept.MONEY, MINOR_CORE, "12.50", 1250),
        (Accept.MONEY, MINOR_CORE, 12.5, "1250"),
        (Accept.MONEY, YEN, 1250, "1250"),
        (Accept.MONEY, CENT, "12.50", "12.51"),
        (Accept.NUMBER, CENT, 1.5, 1.51),
        (Accept.NUMBER, CENT, "1.5", "1.49"),
        (Accept.NUMBER, RuleTerms(within=Decimal(0)), "1.5", "1.50"),
        (Accept.URL, ANY_HOST, "https://old.example/a?b=1#c", "http://new.example:81/a?b=1#c"),
        (Accept.URL, ANY_HOST, "/media/a.jpg", "https://cdn.example/media/a.jpg"),
        (Accept.URL, ANY_HOST, "https://old.example", "https://new.example/"),
        (Accept.URL, TWO_HOSTS, "http://OLD.example:8080/a", "https://new.example/a"),
        (Accept.MAPPED_ID, BARE, 7, "a-7"),
        (Accept.TEXT, LOOSE, "Straße  Caf\u00e9", "STRASSE\n Cafe\u0301"),
        (Accept.EMPTY_OR_ABSENT, BARE, None, ""),
        (Accept.EMPTY_OR_ABSENT, BARE, [], {}),
    ],
)
def test_forgives(accept: Accept, terms: RuleTerms, legacy: Any, core: Any) -> None:
    known = rule("$.a", accept, terms=terms)

    assert verdict({"a": legacy}, {"a": core}).outcome is Outcome.MISMATCH
    found = verdict({"a": legacy}, {"a": core}, known)
    assert (found.outcome, found.used) == (Outcome.ACCEPTED, (known.name,))
    assert [one.rule for one in found.accepted] == [known.name]


@pytest.mark.parametrize(
    ("accept", "terms", "legacy", "core"),
    [
        (Accept.TIMESTAMP, FIVE_S, "2026-01-01T10:00:00Z", "2026-01-01T10:00:05.000001Z"),
        (Accept.TIMESTAMP, FIVE_S, "2026-01-01T10:00:00Z", "2026-01-01T10:00:00"),
        (Accept.DATE, BARE, "2026-01-01T10:00:00Z", 1767261601),
        (Accept.DATE, BARE, "2026-01-01", "01.01.2026"),
        (Accept.DATE, DAY, "2026-01-01", "02.01.2026"),
        (Accept.DATE, DAY, "2026-01-01", "32.01.2026"),
        (Accept.DATE, BARE, 20260101, "2026-01-01"),
        (Accept.DATE, BARE, True, 1),
        (Accept.MONEY, BARE, "12.50", "12.51"),
        (Accept.MONEY, BARE, "12.50", 1250),
        (Accept.MONEY, BARE, "12.50 EUR", "12.50 USD"),
        (Accept.MONEY, BARE, "1,234", "1234"),
        (Accept.MONEY, BARE, "1,234,50", "1234.50"),
        (Accept.MONEY, BARE, "free", 0),
        (Accept.MONEY, MINOR_CORE, 1250, "12.50"),
        (Accept.MONEY, MINOR_CORE, "12.50", 12.5),
        (Accept.MONEY, CENT, "12.50", "12.52"),
        (Accept.MONEY, BARE, True, "1"),
        (Accept.NUMBER, CENT, 1.5, 1.511),
        (Accept.NUMBER, CENT, 1.5, "1.5"),
        (Accept.NUMBER, CENT, True, 1),
        (Accept.URL, ANY_HOST, "https://old.example/a", "https://new.example/b"),
        (Accept.URL, ANY_HOST, "https://old.example/a?x=1", "https://new.example/a?x=2"),
        (Accept.URL, ANY_HOST, "https://ann@old.example/a", "https://bob@new.example/a"),
        (Accept.URL, ANY_HOST, "ftp://old.example/a", "https://new.example/a"),
        (Accept.URL, ANY_HOST, "https://old.example:x/a", "https://new.example/a"),
        (Accept.URL, TWO_HOSTS, "https://evil.example/a", "https://new.example/a"),
        (Accept.URL, ANY_HOST, "a", "/a"),
        (Accept.MAPPED_ID, BARE, 7, None),
        (Accept.MAPPED_ID, BARE, 7, ""),
        (Accept.MAPPED_ID, BARE, 7, {"id": 7}),
        (Accept.TEXT, RuleTerms(ignore=(Ignore.CASE,)), "a b", "A  B"),
        (Accept.TEXT, LOOSE, "a", "b"),
        (Accept.TEXT, LOOSE, "1", 1),
        (Accept.EMPTY_OR_ABSENT, BARE, None, 0),
        (Accept.EMPTY_OR_ABSENT, BARE, "", False),
        (Accept.EMPTY_OR_ABSENT, BARE, [], [None]),
    ],
)
def test_does_not_forgive(accept: Accept, terms: RuleTerms, legacy: Any, core: Any) -> None:
    found = verdict({"a": legacy}, {"a": core}, rule("$.a", accept, terms=terms))

    assert (found.outcome, found.used) == (Outcome.MISMATCH, ())


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_what_is_empty_may_be_absent_on_either_side(empty: Any) -> None:
    known = rule("$.a", Accept.EMPTY_OR_ABSENT)

    assert verdict({"a": empty}, {}, known).outcome is Outcome.ACCEPTED
    assert verdict({}, {"a": empty}, known).outcome is Outcome.ACCEPTED
    assert verdict({"a": 0}, {}, known).outcome is Outcome.MISMATCH


class TestMappedIds:
    """One to one within a pair of answers."""

    RULE = rule("$..id", Accept.MAPPED_ID)

    def test_the_same_pairs_go_together_again(self) -> None:
        ours = [{"id": 1}, {"id": 2}, {"id": 1}]
        theirs = [{"id": "a"}, {"id": "b"}, {"id": "a"}]

        assert verdict(ours, theirs, self.RULE).outcome is Outcome.ACCEPTED

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ([1, 1], ["a", "b"]),
            ([1, 2], ["a", "a"]),
            ([1, 2], [2, 2]),
            ([2, 1], [2, 2]),
            ([1, 2, 1], [2, 1, 1]),
        ],
    )
    def test_an_id_that_goes_with_two_is_a_difference(
        self, ours: list[Any], theirs: list[Any]
    ) -> None:
        legacy, core = ([{"id": one} for one in side] for side in (ours, theirs))

        assert verdict(legacy, core, self.RULE).outcome is Outcome.MISMATCH
        assert verdict(core, legacy, self.RULE).outcome is Outcome.MISMATCH

    @given(st.lists(st.integers(0, 9), max_size=8), st.permutations(range(10)))
    def test_renamed_ids_are_accepted_and_no_two_become_one(
        self, ids: list[int], names: list[int]
    ) -> None:
        ours = [{"id": one} for one in ids]
        renamed = [{"id": f"n{names[one]}"} for one in ids]

        found = verdict(ours, renamed, self.RULE)

        assert found.outcome is (Outcome.ACCEPTED if ids else Outcome.MATCH)


class TestKeyedArrays:
    """Elements are told apart by members of theirs."""

    RULE = rule("$", Accept.KEYED, terms=RuleTerms(by=("id",)))

    def test_order_does_not_count_and_each_is_held_against_its_like(self) -> None:
        ours = [{"id": 1, "n": "a"}, {"id": 2, "n": "b"}, {"id": 3, "n": "c"}]
        theirs = [{"id": 3, "n": "c"}, {"id": 1, "n": "a"}, {"id": 2, "n": "x"}]

        found = verdict(ours, theirs, self.RULE)

        assert places(found) == [("$[1].n", "value")]
        assert [one.rule for one in found.accepted] == ["keyed $ by=id"]

    def test_what_is_gone_and_what_has_come_is_told(self) -> None:
        found = verdict([{"id": 1}, {"id": 2}], [{"id": 2}, {"id": 9}], self.RULE)

        assert sorted(kind for _, kind in places(found)) == ["added", "missing"]

    @pytest.mark.parametrize(
        "theirs", [[{"id": 2}, {"id": 1}, {"id": 1}], [{"id": 2}, {}, {"id": 1}], [2, 1, 3]]
    )
    def test_without_a_key_of_their_own_order_counts(self, theirs: list[Any]) -> None:
        assert verdict([{"id": 1}, {"id": 2}, {"id": 3}], theirs, self.RULE).outcome is (
            Outcome.MISMATCH
        )
        assert verdict(theirs, theirs[::-1], self.RULE).outcome is Outcome.MISMATCH

    def test_a_key_may_have_parts(self) -> None:
        both = rule("$", Accept.KEYED, terms=RuleTerms(by=("sku", "size")))
        ours = [{"sku": "a", "size": 1, "n": 1}, {"sku": "a", "size": 2, "n": 2}]

        assert verdict(ours, ours[::-1], both).outcome is Outcome.ACCEPTED


def test_close_values_in_a_set_find_each_other() -> None:
    close = [rule("$", Accept.UNORDERED), rule("$[*]", Accept.NUMBER, terms=CENT)]

    assert verdict([1.0, 2.0], [2.005, 1.005], *close).outcome is Outcome.ACCEPTED
    assert verdict([1.0, 2.0], [2.005, 1.5], *close).outcome is Outcome.MISMATCH


def test_two_rules_of_one_kind_at_one_place_both_count() -> None:
    narrow, wide = (
        rule("$.a", Accept.NUMBER, terms=RuleTerms(within=Decimal(bound))) for bound in ("1", "9")
    )

    for rules in ((narrow, wide), (wide, narrow)):
        assert verdict({"a": 1}, {"a": 6}, *rules).used == (wide.name,)


KINDS: list[CompareRule] = [
    rule("$..a", accept, terms=terms)
    for accept, terms in [
        (Accept.KEYED, RuleTerms(by=("id",))),
        (Accept.URL, ANY_HOST),
        (Accept.NUMBER, CENT),
        (Accept.TEXT, LOOSE),
        (Accept.MONEY, CENT),
        (Accept.DATE, DAY),
        (Accept.TIMESTAMP, FIVE_S),
        *((accept, BARE) for accept in Accept if accept is not Accept.ANY),
    ]
]
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=12),
    st.sampled_from(
        ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "http://[", "1.5", "//", "€"]
    ),
    st.from_regex(r"[-+€$ ]?[0-9.,' ]{1,12}( EUR)?", fullmatch=True),
    st.from_regex(r"(https?:)?//[a-z:@\[\]0-9]{0,9}/?[a-z?#]{0,5}", fullmatch=True),
)
trees = st.recursive(
    odd,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "id", "b"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(trees, trees)
def test_whatever_stands_under_rules_gets_the_same_verdict_from_either_side(
    one: Any, other: Any
) -> None:
    there, back = verdict(one, other, *KINDS), verdict(other, one, *KINDS)

    assert there.outcome is not Outcome.BROKEN, there.reason
    assert there.outcome is back.outcome
    assert (there.outcome is Outcome.MATCH) is (verdict(one, other).outcome is Outcome.MATCH)


@given(trees, trees)
def test_rules_beside_the_place_forgive_nothing(one: Any, other: Any) -> None:
    beside = [rule("$.nowhere", known.accept, terms=known.terms) for known in KINDS]

    assert verdict({"x": one}, {"x": other}, *beside) == verdict({"x": one}, {"x": other})


def test_big_and_strange_times_break_nothing() -> None:
    known = rule("$", Accept.TIMESTAMP, terms=FIVE_S)
    found = verdict(
        answer(b'"0001-01-01T00:00:00+23:59"'), answer(b'"9999-12-31T23:59:59-23:59"'), known
    )

    assert found.outcome is Outcome.MISMATCH
