"""Spans of done frames behave as the set of their numbers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shadow_compare.core.spans import Span, covers, joined, spans_of

SPANS = st.lists(
    st.builds(lambda first, more: Span(first, first + more), st.integers(1, 60), st.integers(0, 9)),
    max_size=12,
)


def numbers(spans: list[Span]) -> set[int]:
    return {seq for span in spans for seq in range(span.first, span.last + 1)}


@given(spans=SPANS)
def test_joining_keeps_every_number_and_adds_none(spans: list[Span]) -> None:
    assert numbers(list(joined(spans))) == numbers(spans)


@given(spans=SPANS)
def test_joined_spans_stand_in_order_and_do_not_touch(spans: list[Span]) -> None:
    out = joined(spans)

    assert all(one.last + 1 < after.first for one, after in pairwise(out))


@given(seqs=st.lists(st.integers(1, 40)))
def test_numbers_make_the_spans_that_joining_them_one_by_one_makes(seqs: list[int]) -> None:
    assert tuple(spans_of(seqs)) == joined(Span(seq, seq) for seq in seqs)


@given(spans=SPANS, seq=st.integers(0, 80))
def test_a_number_is_covered_when_one_of_the_spans_holds_it(spans: list[Span], seq: int) -> None:
    assert covers(joined(spans), seq) is (seq in numbers(spans))


@given(order=st.permutations(list(range(1, 40))))
def test_whatever_the_order_a_whole_run_is_one_span_in_the_end(order: list[int]) -> None:
    spans: tuple[Span, ...] = ()
    for seq in order:
        spans = joined((*spans, Span(seq, seq)))

    assert spans == (Span(1, 39),)
