"""Use cases of rules of quantity. The caller commits."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from new_core.domain.cart_lines import QuantityRule
from new_core.domain.catalog import Stored
from new_core.domain.events import AuditEntry, Event
from new_core.errors import ChangedMeanwhile, NotFound
from new_core.ports import UnitOfWork
from new_core.service.doing import Doing


async def quantity_rule(uow: UnitOfWork, variant_id: UUID) -> Stored[QuantityRule]:
    """How many units of a variant a line may hold.

    Raises:
        NotFound: nobody said so.
    """
    stored = await uow.carts.rule(variant_id)
    if stored is None:
        raise NotFound("quantity rule", str(variant_id))
    return stored


async def put_rule(
    uow: UnitOfWork, rule: QuantityRule, versions: frozenset[int] | None, doing: Doing
) -> Stored[QuantityRule]:
    """Say how many units of a variant a line may hold. Lines that are in carts stay as they
    are, with a problem where they do not keep to it.

    Raises:
        NotFound: there is no such variant.
        ChangedMeanwhile: the rule is another version than those.
    """
    if not await uow.carts.goods([rule.variant_id]):
        raise NotFound("variant", str(rule.variant_id))
    before = await uow.carts.locked_rule(rule.variant_id)
    _check(before, versions)
    if before is not None and before.value == rule:
        return before
    await uow.carts.put_rule(rule, doing.at)
    told = {"minimum": rule.minimum, "maximum": rule.maximum, "step": rule.step}
    await _tell(uow, rule.variant_id, "written", told, doing)
    return await quantity_rule(uow, rule.variant_id)


async def delete_rule(
    uow: UnitOfWork, variant_id: UUID, versions: frozenset[int] | None, doing: Doing
) -> None:
    """A variant is sold by the piece again.

    Raises:
        NotFound: there is no rule.
        ChangedMeanwhile: it is another version than those.
    """
    before = await uow.carts.locked_rule(variant_id)
    if before is None:
        raise NotFound("quantity rule", str(variant_id))
    _check(before, versions)
    await uow.carts.delete_rule(variant_id)
    await _tell(uow, variant_id, "deleted", {}, doing)


def _check(before: Stored[QuantityRule] | None, versions: frozenset[int] | None) -> None:
    if versions is not None and (before is None or before.version not in versions):
        raise ChangedMeanwhile("the rule is not what it was when you read it")


async def _tell(
    uow: UnitOfWork, variant_id: UUID, what: str, told: Mapping[str, object], doing: Doing
) -> None:
    event = Event(f"carts.quantity_rule.{what}.v1", "quantity_rule", variant_id, told)
    entry = AuditEntry(f"quantity_rule.{what}", "quantity_rule", str(variant_id), after=told)
    await uow.outbox.add([event], doing.actor, doing.at)
    await uow.audit.add([entry], doing.actor, doing.at)
