"""Taxes: rules as data, and what they come to.

A rule belongs to one jurisdiction and one class of goods. Several rules hold side by side
(GST and PST); a compound one is taken on the amount with the others in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from new_core.domain.buyer import Destination
from new_core.domain.money import Rounding
from new_core.domain.totals import TaxLine

STANDARD = "standard"
MAX_PPM = 10_000_000
_ONE = 1_000_000


class TaxRounding(StrEnum):
    """What a tax is rounded on: each line, the sum of all lines, or one unit."""

    LINE = "line"
    ORDER = "order"
    UNIT_PRICE = "unit_price"


@dataclass(frozen=True, slots=True)
class TaxRule:
    """One tax of one jurisdiction on one class of goods.

    Attributes:
        code: e.g. "GST"; one per jurisdiction, class and time.
        region: ISO 3166-2 without the country; empty holds in the whole country.
        ppm: the rate in millionths.
        compound: taken on the amount with the other taxes in it.
        valid_from, valid_to: half-open; None is without a bound.
        source: where the rate was read.
    """

    id: UUID
    code: str
    name: str
    country: str
    region: str
    tax_class: str
    ppm: int
    compound: bool = False
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    source: str = ""

    @property
    def jurisdiction(self) -> str:
        """E.g. "CA" or "CA-ON"."""
        return f"{self.country}-{self.region}" if self.region else self.country


class ExemptSubject(StrEnum):
    """Who is exempt."""

    CUSTOMER = "customer"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class TaxExemption:
    """Somebody who does not pay a jurisdiction's taxes.

    Attributes:
        region: empty means all of the country, its regions' taxes included.
        code: the one tax that it is about; empty means all.
        certificate: what proves it.
        valid_from, valid_to: half-open; None is without a bound.
    """

    id: UUID
    subject_type: ExemptSubject
    subject_id: UUID
    country: str
    region: str = ""
    code: str = ""
    certificate: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def frees_from(self, rule: TaxRule, at: datetime) -> bool:
        """Whether a tax is not paid."""
        return (
            self.country == rule.country
            and self.region in ("", rule.region)
            and self.code in ("", rule.code)
            and _holds(self.valid_from, self.valid_to, at)
        )


class ClassTarget(StrEnum):
    """What a tax class is said of."""

    PRODUCT = "product"
    TYPE = "type"


@dataclass(frozen=True, slots=True)
class ClassOf:
    """The tax class of a product, or of all products of a type that have none of their own."""

    target: ClassTarget
    target_id: UUID
    tax_class: str


@dataclass(frozen=True, slots=True)
class MoneySettings:
    """What the tenant decided about money."""

    tax_rounding: TaxRounding = TaxRounding.LINE
    rounding: Rounding = Rounding.HALF_UP


@dataclass(frozen=True, slots=True)
class Levy:
    """A rule with what it comes to of the net amount: weight / whole, compounding in it."""

    rule: TaxRule
    weight: int
    whole: int


@dataclass(frozen=True, slots=True)
class Levies:
    """The taxes on one class of goods at one destination.

    Attributes:
        contained: what a price with tax in it contains.
        charged: those of them that the buyer pays.
    """

    contained: tuple[Levy, ...]
    charged: tuple[Levy, ...]


@dataclass(frozen=True, slots=True)
class TaxSystem:
    """The rules that may hold at a destination.

    Attributes:
        rules: of the destination's country.
        exemptions: the buyer's.
    """

    rules: tuple[TaxRule, ...] = ()
    exemptions: tuple[TaxExemption, ...] = ()
    rounding: TaxRounding = TaxRounding.LINE

    def knows(self, destination: Destination) -> bool:
        """Whether the taxes there are known: where regions have their own, one is named."""
        regional = any(one.region for one in self.rules)
        return bool(destination.region) or not regional

    def levies(self, destination: Destination, tax_class: str, at: datetime) -> Levies:
        """The taxes on a class of goods."""
        held = [one for one in self.rules if _applies(one, destination, tax_class, at)]
        paid = [one for one in held if not any(e.frees_from(one, at) for e in self.exemptions)]
        return Levies(_weighed(held), _weighed(paid))


def _applies(rule: TaxRule, destination: Destination, tax_class: str, at: datetime) -> bool:
    return (
        rule.country == destination.country
        and rule.region in ("", destination.region)
        and rule.tax_class == tax_class
        and _holds(rule.valid_from, rule.valid_to, at)
    )


def _holds(start: datetime | None, end: datetime | None, at: datetime) -> bool:
    return (start is None or start <= at) and (end is None or at < end)


def _weighed(rules: Iterable[TaxRule]) -> tuple[Levy, ...]:
    """Rules with their share of the net amount, exactly: over one common whole."""
    ordered = sorted(rules, key=lambda one: (one.compound, one.jurisdiction, one.code, one.id.int))
    whole, weights = _ONE, list[int]()
    for rule in ordered:
        if rule.compound:
            on = whole + sum(weights)
            weights = [weight * _ONE for weight in weights]
            whole *= _ONE
            weights.append(rule.ppm * on)
        else:
            weights.append(rule.ppm)
    return tuple(Levy(rule, w, whole) for rule, w in zip(ordered, weights, strict=True))


@dataclass(frozen=True, slots=True)
class Taxable:
    """An amount that taxes are taken on, after discounts.

    Attributes:
        included: whether the taxes are in it.
    """

    minor: int
    quantity: int
    levies: Levies
    included: bool


@dataclass(frozen=True, slots=True)
class Taxed:
    """An amount with its taxes: gross - net = their sum."""

    net_minor: int
    taxes: tuple[TaxLine, ...] = ()

    @property
    def gross_minor(self) -> int:
        """With all taxes."""
        return self.net_minor + sum(one.minor for one in self.taxes)


def tax_lines(net_minor: int, levies: Sequence[Levy], minors: Sequence[int]) -> Taxed:
    """An amount with the taxes that were worked out for it."""
    taxes: list[TaxLine] = []
    taken = 0
    for levy, minor in zip(levies, minors, strict=True):
        rule = levy.rule
        base = net_minor + taken if rule.compound else net_minor
        taxes.append(TaxLine(rule.code, rule.name, rule.jurisdiction, rule.ppm, base, minor))
        taken += minor
    return Taxed(net_minor, tuple(taxes))
