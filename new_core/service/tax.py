"""Use cases of whoever keeps the taxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from new_core.domain.catalog import Stored
from new_core.domain.identity import core_id
from new_core.domain.tax import ClassOf, MoneySettings, TaxExemption, TaxRule
from new_core.errors import InvalidValue, NotFound
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing
from new_core.service.pricing_told import Change, tell

Expected = Callable[[Stored[TaxRule]], None]
"""Raises when a rule is not what the caller saw."""

SETTINGS_ID = core_id("core", "pricing_setting", 1)


async def rule_of(uow: UnitOfWork, rule_id: UUID, *, lock: bool = False) -> Stored[TaxRule]:
    """A tax rule; `lock` keeps others from changing it until this transaction ends.

    Raises:
        NotFound: there is none.
    """
    found = await uow.tax.rule(rule_id, lock=lock)
    if found is None:
        raise NotFound("tax rule", str(rule_id))
    return found


async def create_rule(uow: UnitOfWork, new: TaxRule, doing: Doing) -> Stored[TaxRule]:
    """Write a new rule, and commit.

    Raises:
        InvalidValue: it ends before it begins, or one of the same place, class, code and
            time is there.
    """
    _check(new)
    return await _save(uow, None, new, doing)


async def change_rule(
    uow: UnitOfWork, new: TaxRule, expected: Expected, doing: Doing
) -> Stored[TaxRule]:
    """Write a rule anew, and commit.

    Raises:
        NotFound: there is none.
        ChangedMeanwhile: it is not as expected.
        InvalidValue: as for a new one.
    """
    before = await rule_of(uow, new.id, lock=True)
    expected(before)
    _check(new)
    return before if new == before.value else await _save(uow, before.value, new, doing)


def _check(new: TaxRule) -> None:
    if new.valid_from and new.valid_to and new.valid_from >= new.valid_to:
        raise InvalidValue("valid_to", "must be after valid_from")


async def _save(
    uow: UnitOfWork, old: TaxRule | None, new: TaxRule, doing: Doing
) -> Stored[TaxRule]:
    await uow.tax.put_rules([new], doing.at)
    await _tell_rule(uow, old, new, "created" if old is None else "changed", doing)
    stored = await rule_of(uow, new.id)
    await uow.commit()
    return stored


async def _tell_rule(
    uow: UnitOfWork, old: TaxRule | None, new: TaxRule | None, word: str, doing: Doing
) -> None:
    one = new or old
    if one is not None:
        change = Change("tax_rule", one.id, f"tax_rule.{word}", f"tax.rule.{word}.v1", old, new)
        await tell(uow, change, doing, {"jurisdiction": one.jurisdiction, "code": one.code})


async def load_rules(
    uow: UnitOfWork, rules: Sequence[TaxRule], doing: Doing
) -> tuple[TaxRule, ...]:
    """Write rules that come with the core, and commit; gives those that were new or other."""
    changed: list[TaxRule] = []
    for country in sorted({one.country for one in rules}):
        there = {one.id: one for one in await uow.tax.rules(country)}
        for one in rules:
            if one.country == country and there.get(one.id) != one:
                word = "changed" if one.id in there else "created"
                await _tell_rule(uow, there.get(one.id), one, word, doing)
                changed.append(one)
    if changed:
        await uow.tax.put_rules(changed, doing.at)
        await uow.commit()
    return tuple(changed)


async def delete_rule(uow: UnitOfWork, rule_id: UUID, expected: Expected, doing: Doing) -> None:
    """Delete a rule, and commit.

    Raises:
        NotFound: there is none.
        ChangedMeanwhile: it is not as expected.
    """
    before = await rule_of(uow, rule_id, lock=True)
    expected(before)
    await uow.tax.delete_rule(rule_id)
    await _tell_rule(uow, before.value, None, "deleted", doing)
    await uow.commit()


async def exempt(uow: UnitOfWork, new: TaxExemption, doing: Doing) -> TaxExemption:
    """Free somebody from taxes, and commit.

    Raises:
        InvalidValue: it ends before it begins.
    """
    if new.valid_from and new.valid_to and new.valid_from >= new.valid_to:
        raise InvalidValue("valid_to", "must be after valid_from")
    await uow.tax.put_exemption(new, doing.at)
    change = Change(
        "tax_exemption", new.id, "tax_exemption.created", "tax.exemption.created.v1", after=new
    )
    await tell(uow, change, doing, {"country": new.country})
    await uow.commit()
    return new


async def end_exemption(uow: UnitOfWork, exemption_id: UUID, doing: Doing) -> None:
    """Somebody pays taxes again; commits.

    Raises:
        NotFound: there is no such exemption.
    """
    old = await uow.tax.delete_exemption(exemption_id)
    if old is None:
        raise NotFound("tax exemption", str(exemption_id))
    change = Change(
        "tax_exemption", old.id, "tax_exemption.deleted", "tax.exemption.deleted.v1", old
    )
    await tell(uow, change, doing, {"country": old.country})
    await uow.commit()


async def decide_money(uow: UnitOfWork, new: MoneySettings, doing: Doing) -> MoneySettings:
    """Put down how amounts are rounded, and commit."""
    old = await uow.tax.settings()
    if old == new:
        return old
    await uow.tax.put_settings(new, doing.at)
    change = Change(
        "tax_settings", SETTINGS_ID, "tax_settings.changed", "tax.settings.changed.v1", old, new
    )
    await tell(uow, change, doing)
    await uow.commit()
    return new


async def classify(uow: UnitOfWork, new: ClassOf, doing: Doing) -> ClassOf:
    """Say which tax class a product or a type is of, and commit."""
    await uow.tax.put_class(new, doing.at)
    change = Change(
        "tax_class", new.target_id, "tax_class.changed", "tax.class.changed.v1", after=new
    )
    await tell(uow, change, doing, {"target": new.target.value, "tax_class": new.tax_class})
    await uow.commit()
    return new
