"""Orders are lost or doubled by what the databases say, never by what the story hopes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cutover.demo.bookkeeping import OrderBooks, Told, balance

OLD = Told("1", 100)
A, B = Told("2", 200), Told("3", 300)


def test_an_order_on_both_sides_with_its_total_is_right() -> None:
    assert balance([A, B], [OLD, A, B], [OLD, A, B], [OLD]) == OrderBooks(2, 0, 0, 0)


def test_an_order_that_one_side_does_not_have_is_lost_once() -> None:
    assert balance([A, B], [OLD, A], [OLD, A], [OLD]) == OrderBooks(2, 1, 0, 0)
    assert balance([A, B], [OLD, A, B], [OLD, A], [OLD]) == OrderBooks(2, 1, 0, 0)


def test_an_order_that_nobody_was_told_of_is_a_copy() -> None:
    assert balance([A], [OLD, A, B], [OLD, A], [OLD]).doubled == 1


def test_a_number_that_stands_twice_is_doubled() -> None:
    assert balance([A], [A, A], [A], []).doubled == 1


def test_two_shoppers_with_one_number_have_one_order_too_few() -> None:
    assert balance([A, A], [A], [A], []).doubled == 1


def test_another_total_than_the_shopper_was_told_is_seen() -> None:
    assert balance([A], [A], [Told(A.number, 201)], []).differing == 1


@given(st.sets(st.integers(2, 50)), st.sets(st.integers(2, 50)), st.sets(st.integers(2, 50)))
def test_books_are_clean_exactly_when_both_sides_have_what_was_told(
    told: set[int], legacy: set[int], core: set[int]
) -> None:
    as_orders = [[Told(str(n), n) for n in side] for side in (told, legacy, core)]

    found = balance(as_orders[0], as_orders[1], as_orders[2], [OLD])

    is_clean = (found.lost, found.doubled, found.differing) == (0, 0, 0)
    assert is_clean == (told == legacy == core)
