"""Use cases of assortments: what somebody may see."""

from __future__ import annotations

from uuid import UUID

from new_core.domain.actor import Actor
from new_core.domain.assortment import (
    EVERYTHING,
    AssignedTo,
    Assortment,
    AssortmentRule,
    RuleKind,
    Visible,
)
from new_core.domain.catalog import Reference, Stored
from new_core.domain.events import AuditEntry, Event
from new_core.errors import InvalidValue, NotFound
from new_core.ports import UnitOfWork
from new_core.service.catalog import ProductDetail, subtree
from new_core.service.doing import Doing


async def visible_to(uow: UnitOfWork, actor: Actor) -> Visible:
    """What a customer may see; everybody else, and who is given no assortment, sees all."""
    if actor.customer_id is None and not actor.account_ids:
        return EVERYTHING
    customer = await uow.customers.get(actor.customer_id) if actor.customer_id else None
    groups = customer.value.group_ids if customer else frozenset[UUID]()
    assigned = await uow.assortments.assigned(actor.customer_id, actor.account_ids, groups)
    if not assigned:
        return EVERYTHING
    reference = await uow.catalog.reference()
    return Visible(tuple(_spread(one, reference) for one in assigned))


def is_visible(detail: ProductDetail, visible: Visible) -> bool:
    """Whether a product is among what somebody may see; a variant is where its parent is."""
    product = detail.product
    categories = {line[-1].id for line in detail.lineages}
    named = (product.parent_id,) if product.parent_id else ()
    return visible.shows(product.id, detail.type.id, categories | set(named))


async def put_assortment(
    uow: UnitOfWork, code: str, name: str, rules: tuple[AssortmentRule, ...], doing: Doing
) -> Stored[Assortment]:
    """Write an assortment and commit.

    Raises:
        InvalidValue: a rule names a category or a type that is not there.
    """
    reference = await uow.catalog.reference()
    for rule in rules:
        known = {RuleKind.CATEGORY: reference.categories, RuleKind.TYPE: reference.types}
        if rule.kind in known and rule.target_id not in known[rule.kind]:
            raise InvalidValue(
                "rules", f"name a {rule.kind.value} {rule.target_id} that is not there"
            )
    before = next((one for one in await uow.assortments.every() if one.value.code == code), None)
    ident = before.value.id if before else doing.new_id()
    stored = await uow.assortments.put(Assortment(ident, code, name, rules), doing.at)
    await _told(uow, stored.value, "assortment.written", doing)
    await uow.commit()
    return stored


async def assign(
    uow: UnitOfWork, code: str, scope: AssignedTo, scope_id: UUID, doing: Doing, *, given: bool
) -> None:
    """Limit somebody to an assortment, or no longer, and commit.

    Raises:
        NotFound: there is no such assortment.
    """
    found = next(
        (one.value for one in await uow.assortments.every() if one.value.code == code), None
    )
    if found is None:
        raise NotFound("assortment", code)
    change = uow.assortments.assign if given else uow.assortments.unassign
    await change(found.id, scope, scope_id)
    action = "assortment.assigned" if given else "assortment.unassigned"
    await _told(uow, found, action, doing, {"scope": scope.value, "scope_id": str(scope_id)})
    await uow.commit()


async def _of_code(uow: UnitOfWork, code: str) -> Assortment | None:
    every = (one.value for one in await uow.assortments.every())
    return next((one for one in every if one.code == code), None)


def _spread(assortment: Assortment, reference: Reference) -> tuple[AssortmentRule, ...]:
    """Every rule of a category as one for it and one for each below it."""
    rules: list[AssortmentRule] = []
    for rule in assortment.rules:
        category = reference.categories.get(rule.target_id) if rule.target_id else None
        if rule.kind is RuleKind.CATEGORY and category is not None:
            below = subtree(reference, category)
            rules.extend(AssortmentRule(rule.includes, rule.kind, one) for one in below)
        else:
            rules.append(rule)
    return tuple(rules)


async def _told(
    uow: UnitOfWork,
    assortment: Assortment,
    action: str,
    doing: Doing,
    data: dict[str, object] | None = None,
) -> None:
    details: dict[str, object] = {"code": assortment.code, **(data or {})}
    event = Event("catalog.assortment.changed.v1", "assortment", assortment.id, details)
    await uow.outbox.add([event], doing.actor, doing.at)
    entry = AuditEntry(action, "assortment", str(assortment.id), after=details)
    await uow.audit.add([entry], doing.actor, doing.at)
