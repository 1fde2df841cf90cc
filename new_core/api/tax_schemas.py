"""What is sent and answered about taxes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from new_core.api.pricing_fields import (
    PLAIN,
    Body,
    Country,
    Moment,
    Name,
    Region,
    TaxClass,
)
from new_core.api.schemas import Answer, Page
from new_core.domain.catalog import Stored
from new_core.domain.money import Rounding
from new_core.domain.tax import (
    MAX_PPM,
    ClassOf,
    ClassTarget,
    ExemptSubject,
    MoneySettings,
    TaxExemption,
    TaxRounding,
    TaxRule,
)

TaxCode = Annotated[
    str, Field(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
]


class TaxRuleBody(Body):
    """A tax rule as it is to be."""

    code: TaxCode
    name: Name
    country: Country
    region: Region = ""
    tax_class: TaxClass = "standard"
    ppm: StrictInt = Field(ge=0, le=MAX_PPM, description="the rate in millionths, 130,000 is 13 %")
    compound: StrictBool = Field(
        default=False, description="taken on the amount with other taxes in it"
    )
    valid_from: Moment | None = None
    valid_to: Moment | None = None
    source: str = Field(default="", max_length=500, pattern=PLAIN)

    def of(self, rule_id: UUID) -> TaxRule:
        """The rule of this id."""
        return TaxRule(id=rule_id, **self.model_dump())


class TaxRuleOut(Answer):
    """A tax rule."""

    id: UUID
    code: str
    name: str
    country: str
    region: str
    jurisdiction: str
    tax_class: str
    ppm: int
    compound: StrictBool
    valid_from: datetime | None
    valid_to: datetime | None
    source: str
    version: int
    updated_at: datetime

    @classmethod
    def of(cls, stored: Stored[TaxRule]) -> TaxRuleOut:
        """A rule as it is stored."""
        one = stored.value
        return cls(
            id=one.id, code=one.code, name=one.name, country=one.country, region=one.region,
            jurisdiction=one.jurisdiction, tax_class=one.tax_class, ppm=one.ppm,
            compound=one.compound, valid_from=one.valid_from, valid_to=one.valid_to,
            source=one.source, version=stored.version, updated_at=stored.updated_at,
        )  # fmt: skip


class TaxRules(Answer):
    """A page of tax rules, ascending by id."""

    data: list[TaxRuleOut]
    page: Page


class StandardBody(Body):
    """Of which countries to load the rules that come with the core."""

    countries: list[Country] = Field(min_length=1, max_length=250)


class StandardOut(Answer):
    """The jurisdictions whose rules were new or other."""

    written: int
    jurisdictions: list[str]


class ExemptionBody(Body):
    """Somebody who does not pay a jurisdiction's taxes."""

    subject_type: ExemptSubject
    subject_id: UUID
    country: Country
    region: Region = ""
    code: TaxCode | None = Field(default=None, description="the one tax; null is all of them")
    certificate: str = Field(default="", max_length=200, pattern=PLAIN)
    valid_from: Moment | None = None
    valid_to: Moment | None = None

    def of(self, exemption_id: UUID) -> TaxExemption:
        """The exemption of this id."""
        return TaxExemption(
            exemption_id, self.subject_type, self.subject_id, self.country, self.region,
            self.code or "", self.certificate, self.valid_from, self.valid_to,
        )  # fmt: skip


class ExemptionOut(Answer):
    """An exemption."""

    id: UUID
    subject_type: ExemptSubject
    subject_id: UUID
    country: str
    region: str
    code: str | None
    certificate: str
    valid_from: datetime | None
    valid_to: datetime | None

    @classmethod
    def of(cls, one: TaxExemption) -> ExemptionOut:
        """An exemption."""
        return cls(
            id=one.id, subject_type=one.subject_type, subject_id=one.subject_id,
            country=one.country, region=one.region, code=one.code or None,
            certificate=one.certificate, valid_from=one.valid_from, valid_to=one.valid_to,
        )  # fmt: skip


class Exemptions(Answer):
    """What somebody is exempt from."""

    data: list[ExemptionOut]


class MoneySettingsBody(Body):
    """How amounts are rounded."""

    tax_rounding: TaxRounding
    rounding: Rounding

    def of(self) -> MoneySettings:
        """The settings."""
        return MoneySettings(self.tax_rounding, self.rounding)


class MoneySettingsOut(Answer):
    """How amounts are rounded."""

    tax_rounding: TaxRounding
    rounding: Rounding

    @classmethod
    def of(cls, one: MoneySettings) -> MoneySettingsOut:
        """The settings."""
        return cls(tax_rounding=one.tax_rounding, rounding=one.rounding)


class ClassBody(Body):
    """Which tax class products are of."""

    target: ClassTarget
    tax_class: TaxClass


class ClassOut(Answer):
    """Which tax class a product, or all products of a type, are of."""

    target: ClassTarget
    target_id: UUID
    tax_class: str

    @classmethod
    def of(cls, one: ClassOf) -> ClassOut:
        """A class."""
        return cls(target=one.target, target_id=one.target_id, tax_class=one.tax_class)


class Classes(Answer):
    """A page of tax classes, ascending by target."""

    data: list[ClassOut]
    page: Page
