"""Taxes of a place on a class of goods, on top of each other and for those who are exempt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from new_core.domain.buyer import Destination
from new_core.domain.money import Rounding, divide, minor_of
from new_core.domain.tax import (
    ExemptSubject,
    Taxable,
    TaxExemption,
    TaxRounding,
    TaxRule,
    TaxSystem,
)
from new_core.domain.tax_amounts import tax_all
from new_core.errors import InvalidValue

NOW = datetime(2012, 6, 1, tzinfo=UTC)
QUEBEC = Destination("CA", "QC")
GST = TaxRule(UUID(int=1), "GST", "GST", "CA", "", "standard", 50_000)
QST = TaxRule(UUID(int=2), "QST", "QST", "CA", "QC", "standard", 95_000, compound=True)
EXEMPT = TaxExemption(UUID(int=3), ExemptSubject.ACCOUNT, UUID(int=4), "CA", code="QST")


def taxed(
    minor: int, system: TaxSystem, *, included: bool = False
) -> tuple[int, list[tuple[str, int, int]]]:
    levies = system.levies(QUEBEC, "standard", NOW)
    (found,) = tax_all([Taxable(minor, 1, levies, included)], system.rounding, Rounding.HALF_UP)
    return found.net_minor, [(one.code, one.base_minor, one.minor) for one in found.taxes]


def test_a_compound_tax_is_taken_on_the_amount_with_the_others_in_it() -> None:
    assert taxed(10_000, TaxSystem((QST, GST))) == (
        10_000, [("GST", 10_000, 500), ("QST", 10_500, 998)],
    )  # fmt: skip


@pytest.mark.parametrize("on", list(TaxRounding))
def test_a_price_with_compound_taxes_in_it_contains_exactly_them(on: TaxRounding) -> None:
    system = TaxSystem((GST, QST), rounding=on)

    net, taxes = taxed(11_498, system, included=True)

    assert (net, sum(one[2] for one in taxes)) == (10_000, 1_498)


def test_the_exempt_do_not_pay_and_prices_with_tax_are_lowered_for_them() -> None:
    system = TaxSystem((GST, QST), (EXEMPT,))

    assert taxed(10_000, system) == (10_000, [("GST", 10_000, 500)])
    assert taxed(11_498, system, included=True) == (10_000, [("GST", 10_000, 500)])


@pytest.mark.parametrize(
    "change",
    [{"country": "US"}, {"region": "ON"}, {"code": "PST"}, {"valid_to": NOW}],
)
def test_an_exemption_is_of_one_place_tax_and_time(change: dict[str, object]) -> None:
    other = replace(EXEMPT, **change)  # type: ignore[arg-type]  # what the test says

    assert len(taxed(10_000, TaxSystem((GST, QST), (other,)))[1]) == 2


@pytest.mark.parametrize(
    "change",
    [{"country": "US"}, {"region": "ON"}, {"tax_class": "books"}, {"valid_to": NOW},
     {"valid_from": datetime(2012, 6, 1, 0, 0, 1, tzinfo=UTC)}],
)  # fmt: skip
def test_a_rule_is_of_one_place_class_and_time(change: dict[str, object]) -> None:
    other = replace(QST, **change)  # type: ignore[arg-type]  # what the test says

    assert taxed(10_000, TaxSystem((GST, other)))[1] == [("GST", 10_000, 500)]


def test_where_regions_have_taxes_of_their_own_one_must_be_named() -> None:
    assert not TaxSystem((GST, QST)).knows(Destination("CA"))
    assert TaxSystem((GST,)).knows(Destination("CA"))
    assert TaxSystem((GST, QST)).knows(QUEBEC)


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [(Rounding.HALF_UP, [1, 2, 3, -1]), (Rounding.HALF_EVEN, [0, 2, 2, 0])],
)
def test_halves_go_up_or_to_the_even(rounding: Rounding, expected: list[int]) -> None:
    assert [divide(amount, 2, rounding) for amount in (1, 3, 5, -1)] == expected


@pytest.mark.parametrize(
    ("text", "currency", "minor"), [("5", "CAD", 500), ("5.0", "KWD", 5000), ("07", "JPY", 7)]
)
def test_a_decimal_string_is_read_to_the_minor_unit(text: str, currency: str, minor: int) -> None:
    assert minor_of(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [("5.001", "CAD"), ("5.0", "JPY"), ("-1", "CAD"), ("1e3", "CAD"), ("", "CAD"), ("5.", "CAD"),
     ("٣", "CAD"), ("9" * 14, "CAD"), ("1", "XXQ")],
)  # fmt: skip
def test_what_is_no_amount_is_refused(text: str, currency: str) -> None:
    with pytest.raises(InvalidValue):
        minor_of(text, currency)
