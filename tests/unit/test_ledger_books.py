from __future__ import annotations

from dataclasses import replace

import pytest

from tests.ledger.books import Attempt, Booked, End, verify

TRIED = Attempt("w1-1@example.com", End.ACKNOWLEDGED, "100001", 2, "200", 1.0)
BOOKED = Booked("w1-1@example.com", "100001", 1998, 2, 1, "placed")


def test_an_acknowledged_order_on_both_sides_alike_is_right() -> None:
    assert verify([TRIED], [BOOKED], [BOOKED]) == ()


@pytest.mark.parametrize(
    ("attempt", "legacy", "core", "word"),
    [
        (TRIED, [BOOKED], [], "lost on the core side"),
        (TRIED, [], [BOOKED], "lost on the legacy side"),
        (TRIED, [BOOKED, replace(BOOKED, number="100002")], [BOOKED], "doubled"),
        (TRIED, [replace(BOOKED, number="7")], [BOOKED], "acknowledged as 100001, 7"),
        (TRIED, [replace(BOOKED, units=1)], [BOOKED], "torn on the legacy side"),
        (TRIED, [BOOKED], [replace(BOOKED, lines=0)], "torn on the core side"),
        (TRIED, [replace(BOOKED, status="cancelled")], [BOOKED], "differs"),
        (TRIED, [BOOKED], [replace(BOOKED, total_minor=1997)], "differs"),
        (replace(TRIED, end=End.REFUSED), [BOOKED], [BOOKED], "refused (200), yet on the"),
        (replace(TRIED, end=End.UNKNOWN), [BOOKED], [], "on the legacy side alone"),
        (replace(TRIED, end=End.UNKNOWN), [], [BOOKED], "on the core side alone"),
    ],
)
def test_a_wrong_book_is_told(
    attempt: Attempt, legacy: list[Booked], core: list[Booked], word: str
) -> None:
    found = verify([attempt], legacy, core)

    assert any(word in sentence for sentence in found)


@pytest.mark.parametrize("booked", [[], [BOOKED]])
def test_what_was_not_acknowledged_may_be_wholly_there_or_absent(booked: list[Booked]) -> None:
    assert verify([replace(TRIED, end=End.UNKNOWN, number="")], booked, booked) == ()


def test_an_order_that_nobody_tried_is_told() -> None:
    assert verify([], [BOOKED], [BOOKED]) == ("w1-1@example.com: nobody tried to place it",)
