"""Tax in tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from new_core.domain.catalog import Stored
from new_core.domain.money import Rounding
from new_core.domain.tax import (
    ClassOf,
    ClassTarget,
    ExemptSubject,
    MoneySettings,
    TaxExemption,
    TaxRounding,
    TaxRule,
)
from new_core.storage import tables as t
from new_core.storage.statements import Row, upsert

_RULE, _EXEMPT, _CLASS, _SETTING = t.tax_rule, t.tax_exemption, t.tax_class, t.pricing_setting


class SqlTax:
    """Tax rules, classes of goods and exemptions, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def settings(self) -> MoneySettings:
        row = (await self._connection.execute(sa.select(_SETTING))).mappings().one_or_none()
        if row is None:
            return MoneySettings()
        return MoneySettings(TaxRounding(row["tax_rounding"]), Rounding(row["rounding"]))

    async def put_settings(self, settings: MoneySettings, now: datetime) -> None:
        row = {
            "id": 1,
            "tax_rounding": settings.tax_rounding.value,
            "rounding": settings.rounding.value,
        }
        await upsert(self._connection, _SETTING, [row], now)

    async def rules(self, country: str) -> tuple[TaxRule, ...]:
        statement = sa.select(_RULE).where(_RULE.c.country == country).order_by(_RULE.c.id)
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(_rule(row) for row in rows)

    async def rule(self, rule_id: UUID, *, lock: bool = False) -> Stored[TaxRule] | None:
        statement = sa.select(_RULE).where(_RULE.c.id == rule_id)
        if lock:
            statement = statement.with_for_update()
        row = (await self._connection.execute(statement)).mappings().one_or_none()
        return Stored(_rule(row), row["version"], row["updated_at"]) if row else None

    async def rule_page(
        self, country: str | None, after: UUID | None, limit: int
    ) -> tuple[Stored[TaxRule], ...]:
        statement = sa.select(_RULE).order_by(_RULE.c.id).limit(limit)
        if country is not None:
            statement = statement.where(_RULE.c.country == country)
        if after is not None:
            statement = statement.where(_RULE.c.id > after)
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(Stored(_rule(row), row["version"], row["updated_at"]) for row in rows)

    async def put_rules(self, rules: Sequence[TaxRule], now: datetime) -> None:
        await upsert(self._connection, _RULE, [asdict(one) for one in rules], now)

    async def delete_rule(self, rule_id: UUID) -> bool:
        statement = sa.delete(_RULE).where(_RULE.c.id == rule_id)
        return (await self._connection.execute(statement)).rowcount == 1

    async def exemptions(
        self, subjects: Collection[UUID], country: str
    ) -> tuple[TaxExemption, ...]:
        statement = sa.select(_EXEMPT).where(
            _EXEMPT.c.subject_id.in_(list(subjects)), _EXEMPT.c.country == country
        )
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(_exemption(row) for row in rows)

    async def exemptions_of(
        self, subject_type: ExemptSubject, subject_id: UUID
    ) -> tuple[TaxExemption, ...]:
        statement = (
            sa.select(_EXEMPT)
            .where(_EXEMPT.c.subject_id == subject_id)
            .where(_EXEMPT.c.subject_type == subject_type.value)
            .order_by(_EXEMPT.c.id)
        )
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(_exemption(row) for row in rows)

    async def put_exemption(self, exemption: TaxExemption, now: datetime) -> None:
        row = {**asdict(exemption), "subject_type": exemption.subject_type.value}
        await upsert(self._connection, _EXEMPT, [row], now)

    async def delete_exemption(self, exemption_id: UUID) -> TaxExemption | None:
        statement = sa.delete(_EXEMPT).where(_EXEMPT.c.id == exemption_id).returning(*_EXEMPT.c)
        row = (await self._connection.execute(statement)).mappings().one_or_none()
        return _exemption(row) if row else None

    async def class_page(self, after: UUID | None, limit: int) -> tuple[ClassOf, ...]:
        statement = sa.select(_CLASS).order_by(_CLASS.c.target_id).limit(limit)
        if after is not None:
            statement = statement.where(_CLASS.c.target_id > after)
        rows = (await self._connection.execute(statement)).mappings()
        return tuple(
            ClassOf(ClassTarget(row["target"]), row["target_id"], row["tax_class"]) for row in rows
        )

    async def put_class(self, one: ClassOf, now: datetime) -> None:
        row = {**asdict(one), "target": one.target.value}
        await upsert(self._connection, _CLASS, [row], now)


def _rule(row: Row) -> TaxRule:
    return TaxRule(
        id=row["id"], code=row["code"], name=row["name"], country=row["country"],
        region=row["region"], tax_class=row["tax_class"], ppm=row["ppm"],
        compound=row["compound"], valid_from=row["valid_from"], valid_to=row["valid_to"],
        source=row["source"],
    )  # fmt: skip


def _exemption(row: Row) -> TaxExemption:
    return TaxExemption(
        id=row["id"], subject_type=ExemptSubject(row["subject_type"]),
        subject_id=row["subject_id"], country=row["country"], region=row["region"],
        code=row["code"], certificate=row["certificate"], valid_from=row["valid_from"],
        valid_to=row["valid_to"],
    )  # fmt: skip
