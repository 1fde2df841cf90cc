"""What the use cases of tax need."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.tax import (
    ClassOf,
    ExemptSubject,
    MoneySettings,
    TaxExemption,
    TaxRule,
)


class TaxStore(Protocol):
    """Tax rules, classes of goods, and who is exempt."""

    async def settings(self) -> MoneySettings:
        """What the tenant decided about money."""
        ...

    async def put_settings(self, settings: MoneySettings, now: datetime) -> None: ...
    async def rules(self, country: str) -> tuple[TaxRule, ...]:
        """All rules of a country and its regions, whenever they hold."""
        ...

    async def rule(self, rule_id: UUID, *, lock: bool = False) -> Stored[TaxRule] | None:
        """A rule; None when there is none. `lock` keeps others from changing it until this
        transaction ends.
        """
        ...

    async def rule_page(
        self, country: str | None, after: UUID | None, limit: int
    ) -> tuple[Stored[TaxRule], ...]:
        """Rules, ascending by id."""
        ...

    async def put_rules(self, rules: Sequence[TaxRule], now: datetime) -> None:
        """Write rules.

        Raises:
            InvalidValue: one of the same place, class, code and time is there.
        """
        ...

    async def delete_rule(self, rule_id: UUID) -> bool: ...
    async def exemptions(
        self, subjects: Collection[UUID], country: str
    ) -> tuple[TaxExemption, ...]:
        """What customers and accounts of these ids are exempt from in a country."""
        ...

    async def exemptions_of(
        self, subject_type: ExemptSubject, subject_id: UUID
    ) -> tuple[TaxExemption, ...]:
        """All exemptions of somebody, ascending by id."""
        ...

    async def put_exemption(self, exemption: TaxExemption, now: datetime) -> None: ...
    async def delete_exemption(self, exemption_id: UUID) -> TaxExemption | None:
        """Delete an exemption and give it; None when there is none."""
        ...

    async def class_page(self, after: UUID | None, limit: int) -> tuple[ClassOf, ...]:
        """Tax classes that were said, ascending by target's id."""
        ...

    async def put_class(self, one: ClassOf, now: datetime) -> None: ...
