"""The judge of the recall itself: it must be able to fail."""

from __future__ import annotations

from shadow_compare.core.evidence import MismatchGroup
from tests.recall.house import PRODUCTS, Entry, Found, targets
from tests.recall.verdict import recall_problems


def group(pattern: str, count: int) -> MismatchGroup:
    return MismatchGroup(
        fingerprint="v1:00",
        domain="catalog",
        route="GET /products/",
        title=f"{pattern} differs",
        patterns=(pattern,),
        count=count,
        share_ppm=0,
        first_seen_s=0.0,
        last_seen_s=0.0,
        epoch="e",
        current=True,
    )


def found(*groups: MismatchGroup, unread: int = 0, **losses: int) -> Found:
    mismatched = sum(one.count for one in groups)
    return Found(100, 100 - mismatched, mismatched, unread, losses, groups)


PRICES = [Entry(f"r-{n}", "price_cent_more", "$.price", "/") for n in range(3)]
CUT = Entry("r-9", "body_cut", "body", "/")
FORGIVEN = Entry("r-8", "time_hour_early", "$.date_updated", "/")


def test_all_that_was_seeded_was_reported_in_its_place() -> None:
    assert recall_problems([*PRICES, CUT, FORGIVEN], found(group("$.price", 3), unread=1)) == []


def test_one_unreported_defect_is_a_problem_of_number_and_place() -> None:
    problems = recall_problems(PRICES, found(group("$.price", 2)))

    assert len(problems) == 2
    assert "3 defects seeded, 2 reported" in problems[0]
    assert "$.price (price_cent_more), 2 in its groups" in problems[1]


def test_a_defect_in_the_wrong_group_is_a_problem() -> None:
    problems = recall_problems(PRICES, found(group("$.title", 3)))

    assert any("nobody seeded it" in one for one in problems)
    assert any("0 in its groups" in one for one in problems)


def test_a_report_without_a_defect_is_a_problem() -> None:
    assert recall_problems([], found(group("$.price", 1)))


def test_an_answer_that_was_lost_excuses_one_defect_and_no_more() -> None:
    assert recall_problems(PRICES, found(group("$.price", 2), shadow_timeout=1)) == []
    assert recall_problems(PRICES, found(group("$.price", 1), shadow_timeout=1))


def test_the_requests_reach_every_kind_of_page_and_every_product() -> None:
    asked = targets(PRODUCTS * 5)

    products = {target for target in asked if target.endswith("/price/")}
    assert len(products) > PRODUCTS // 2
    assert len({target.split("/")[-2] for target in asked}) > 4
