"""Digests, rounds, passes: the pure part of reconciliation."""

from __future__ import annotations

from collections import Counter
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow_compare.core.reconcile_digest import NOTHING, Digest, bucket_of, digest_of
from shadow_compare.core.reconcile_judge import (
    OtherState,
    OwnerState,
    Standing,
    id_of_unnamed,
    judge,
    unnamed,
)
from shadow_compare.core.reconcile_pass import Leg, Stretch, Tally, is_clean, remaining_s, rest_s
from shadow_compare.core.reconcile_rounds import Patience, Rounds

DOCUMENTS = st.dictionaries(st.text(max_size=3), st.integers(0, 3), max_size=3)
PATIENCE = Patience(first_s=1.0, longest_s=8.0, looks=5, confirm_s=2.0, room=3)


@given(st.lists(DOCUMENTS, max_size=8), st.lists(DOCUMENTS, max_size=8))
def test_digests_are_equal_when_the_same_documents_are_there_as_often(
    one: list[dict[str, int]], two: list[dict[str, int]]
) -> None:
    def counted(documents: list[dict[str, int]]) -> Counter[str]:
        return Counter(repr(sorted(document.items())) for document in documents)

    same = sum(map(digest_of, one), NOTHING) == sum(map(digest_of, two), NOTHING)

    assert same == (counted(one) == counted(two))


def test_a_document_that_is_there_twice_does_not_cancel_out() -> None:
    assert digest_of("a") + digest_of("a") + digest_of("b") != digest_of("b") + NOTHING


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_a_digest_that_is_added_can_be_taken_away(one: int, two: int) -> None:
    assert Digest(1, one) + Digest(1, two) - Digest(1, two) == Digest(1, one)


@given(st.uuids(), st.integers(1, 5_000))
def test_a_bucket_is_one_of_those_that_there_are(core_id: UUID, buckets: int) -> None:
    assert 0 <= bucket_of(core_id, buckets) < buckets


def test_buckets_are_about_equally_full() -> None:
    found = Counter(bucket_of(uuid5(UUID(int=0), str(n)), 10) for n in range(10_000))

    assert min(found.values()) > 800


OWNERS = st.one_of(st.none(), st.integers(0, 2))


@given(OWNERS, OWNERS, st.integers(0, 5), st.integers(0, 5), st.booleans())
def test_only_what_nothing_explains_is_different(
    owner: int | None, other: int | None, low: int, order: int, waits: bool
) -> None:
    standing = judge(OwnerState("7", None, owner), OtherState(other, order), low, is_waiting=waits)

    if owner == other:
        assert standing is Standing.SAME
    else:
        assert (standing is Standing.DIFFERENT) == (not waits and order <= low)


def test_what_cannot_be_read_is_not_the_same_as_what_is_not_there() -> None:
    owner = OwnerState("7", None, None, corrupt="no amount")

    assert judge(owner, OtherState(), 5, is_waiting=False) is Standing.DIFFERENT


def test_true_is_not_one() -> None:
    assert (
        judge(OwnerState("7", None, {"a": True}), OtherState({"a": 1}), 5, is_waiting=False)
        is Standing.DIFFERENT
    )


@given(st.uuids())
def test_a_key_without_a_name_says_its_id(core_id: UUID) -> None:
    assert id_of_unnamed(unnamed(core_id)) == core_id
    assert id_of_unnamed(str(core_id)) is None


def test_a_difference_counts_when_it_was_seen_twice() -> None:
    rounds = Rounds(PATIENCE)

    first = rounds.heard({"7": Standing.DIFFERENT}, 10.0)
    early, due = rounds.due(11.9, 9), rounds.due(12.0, 9)
    second = rounds.heard({"7": Standing.DIFFERENT}, 12.0)

    assert (first.different, list(early), list(due)) == ((), [], ["7"])
    assert second.different == ("7",)
    assert len(rounds) == 0


def test_a_difference_that_turns_hot_has_to_be_seen_twice_again() -> None:
    rounds = Rounds(PATIENCE)
    looks = [Standing.DIFFERENT, Standing.HOT, Standing.DIFFERENT, Standing.DIFFERENT]

    found = [rounds.heard({"7": look}, float(n)).different for n, look in enumerate(looks)]

    assert found == [(), (), (), ("7",)]


def test_what_stays_hot_is_looked_at_more_and_more_seldom_and_then_left() -> None:
    rounds = Rounds(PATIENCE)
    pauses: list[float] = []
    left: tuple[str, ...] = ()

    now_s = 0.0
    while not left:
        left = rounds.heard({"7": Standing.HOT}, now_s).unsettled
        due_s = rounds.next_due_s()
        if due_s is not None:
            pauses.append(due_s - now_s)
            now_s = due_s
            assert list(rounds.due(now_s, 9)) == ["7"]

    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert len(rounds) == 0


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcde"), st.sampled_from(list(Standing)), max_size=5),
        max_size=30,
    )
)
def test_every_key_waits_or_was_told_of(rounds_heard: list[dict[str, Standing]]) -> None:
    rounds, waits = Rounds(PATIENCE), set[str]()
    now_s = 0.0

    for heard in rounds_heard:
        now_s += 100.0
        due = set(rounds.due(now_s, 99))
        standings = {key: heard.get(key, Standing.HOT) for key in due} | {
            key: one for key, one in heard.items() if key not in waits
        }
        told = rounds.heard(standings, now_s)
        waits |= set(standings)
        waits -= {*told.same, *told.different, *told.unsettled}

        assert set(rounds.keys()) == waits


def test_what_somebody_was_not_done_with_waits_until_it_is_looked_at() -> None:
    rounds = Rounds(PATIENCE)

    rounds.take_up(["a", "b", "c"], 5.0)
    first = list(rounds.due(5.0, 2))
    rounds.heard(dict.fromkeys(first, Standing.SAME), 5.0)

    assert first == ["a", "b"]
    assert rounds.keys() == ("c",)


def test_rounds_are_full_when_there_is_no_room() -> None:
    rounds = Rounds(PATIENCE)

    rounds.heard(dict.fromkeys("ab", Standing.HOT), 0.0)
    was_full = rounds.is_full
    rounds.heard({"c": Standing.HOT}, 0.0)

    assert (was_full, rounds.is_full) == (False, True)


@given(st.integers(0, 100_000), st.integers(0, 5_000), st.integers(0, 3))
def test_a_pass_with_differences_or_much_that_it_cannot_tell_is_not_clean(
    checked: int, unsettled: int, drift: int
) -> None:
    clean = is_clean(Tally(checked=checked, unsettled=unsettled), drift)

    if drift or unsettled > max(10, checked / 1_000):
        assert not clean
    elif checked or not unsettled:
        assert clean


def test_a_pass_whose_digests_differ_is_not_clean() -> None:
    assert not is_clean(Tally(checked=1, owner=digest_of("a"), other=digest_of("b")), 0)


def test_a_pass_over_nothing_is_clean() -> None:
    assert is_clean(Tally(), 0)


@pytest.mark.parametrize(
    ("elapsed_s", "done", "expected", "wanted"),
    [(10.0, 0, 100, None), (10.0, 50, 100, 10.0), (10.0, 120, 100, 0.0), (10.0, 5, 0, None)],
)
def test_what_remains_is_reckoned_from_what_was_done(
    elapsed_s: float, done: int, expected: int, wanted: float | None
) -> None:
    assert remaining_s(elapsed_s, done, expected) == wanted


@given(st.floats(0, 100), st.floats(0.01, 1))
def test_work_and_rest_have_the_wanted_share(worked_s: float, share: float) -> None:
    total_s = worked_s + rest_s(worked_s, share)

    assert worked_s == pytest.approx(total_s * share)


def test_a_stretch_reads_on_behind_what_it_has_or_behind_its_beginning() -> None:
    fresh = Stretch(0, "order", Leg.OWNER, "5", "9")

    assert (fresh.after, Stretch(0, "order", Leg.OWNER, "5", "9", "7").after) == ("5", "7")
