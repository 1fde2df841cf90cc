"""Use cases of prices, promotions and taxes, always in bulk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from new_core.domain.buyer import Buyer
from new_core.domain.events import AuditEntry, Event
from new_core.domain.pricing import PriceTrace
from new_core.domain.pricing_offers import Lists, traces_of
from new_core.domain.promotions import Running, normal_code
from new_core.domain.promotions_when import ItemFacts
from new_core.domain.reservation import Want
from new_core.domain.tax import TaxSystem
from new_core.domain.totals import CartAsked, PricedCart
from new_core.domain.totals_cart import Known, price_cart
from new_core.errors import PromotionExhausted
from new_core.ports import UnitOfWork, Usage
from new_core.service.doing import Doing


async def prices_for(
    uow: UnitOfWork, buyer: Buyer, wants: Sequence[Want], at: datetime
) -> Mapping[Want, PriceTrace]:
    """The price of each variant for a buyer and a quantity, with its reasons; a fixed number
    of queries, however many there are.
    """
    variants = {one.variant_id for one in wants}
    lists = Lists.of(await uow.pricing.entitled(buyer, at))
    prices = await uow.pricing.prices(lists.ids, variants)
    bound = [
        variant
        for variant, some in prices.items()
        if any(one.stock_level_id is not None for one in some)
    ]
    places = await uow.pricing.places(bound)
    return traces_of(wants, prices, lists, places, at)


async def priced_cart(uow: UnitOfWork, asked: CartAsked, at: datetime) -> PricedCart:
    """A cart with prices, promotions and taxes; a fixed number of queries."""
    wants = [Want(one.variant_id, one.quantity) for one in asked.lines]
    traces = await prices_for(uow, asked.buyer, wants, at)
    codes = {normal_code(one) for one in asked.coupons}
    running = await uow.promotions.running(codes, asked.buyer.customer_id, at)
    facts = await _facts(uow, {one.variant_id for one in wants}, running)
    settings = await uow.tax.settings()
    taxes = await _taxes(uow, asked)
    if taxes is not None:
        taxes = replace(taxes, rounding=settings.tax_rounding)
    return price_cart(asked, Known(at, traces, facts, running, taxes, settings.rounding))


async def _facts(
    uow: UnitOfWork, variant_ids: Collection[UUID], running: Sequence[Running]
) -> Mapping[UUID, ItemFacts]:
    """What is known of the variants; their categories with those above, if anybody asks."""
    facts = await uow.pricing.facts(variant_ids)
    if not running:
        return facts
    reference = await uow.catalog.reference()
    lines: dict[UUID, frozenset[UUID]] = {}
    for category_id in {one for fact in facts.values() for one in fact.category_ids}:
        category = reference.categories.get(category_id)
        above = reference.lineage(category) if category else ()
        lines[category_id] = frozenset(one.id for one in above)
    return {
        variant: replace(
            fact, category_ids=frozenset().union(*(lines[one] for one in fact.category_ids))
        )
        for variant, fact in facts.items()
    }


async def _taxes(uow: UnitOfWork, asked: CartAsked) -> TaxSystem | None:
    """The rules and exemptions at the destination; None while it is not known."""
    if asked.destination is None:
        return None
    country, buyer = asked.destination.country, asked.buyer
    rules = await uow.tax.rules(country)
    subjects = [*buyer.account_ids, *([buyer.customer_id] if buyer.customer_id else [])]
    exemptions = await uow.tax.exemptions(subjects, country) if subjects and rules else ()
    return TaxSystem(rules, exemptions)


async def use_promotions(
    uow: UnitOfWork, priced: PricedCart, order_id: UUID, customer_id: UUID | None, doing: Doing
) -> None:
    """Count one use of each promotion in it, by conditional updates. Twice is once.

    Raises:
        PromotionExhausted: the last use of one was taken meanwhile; roll back.
    """
    usages = [
        Usage(one.promotion_id, order_id, customer_id, one.coupon, one.minor, doing.at)
        for one in priced.discounts
    ]
    # Everybody takes promotions in one order, so two orders never wait for each other.
    usages.sort(key=lambda one: one.promotion_id)
    names = {one.promotion_id: one.name for one in priced.discounts}
    new = await uow.promotions.add_usages(usages)
    if not new:
        return
    free = await uow.promotions.unbounded([one.promotion_id for one in new])
    for usage in new:
        if usage.promotion_id not in free:
            await _take_last(uow, usage, names[usage.promotion_id], doing)
        if customer_id is not None and not await uow.promotions.count_customer(usage):
            raise PromotionExhausted(names[usage.promotion_id])
    await uow.audit.add([_used("promotion.used", one) for one in new], doing.actor, doing.at)


async def _take_last(uow: UnitOfWork, usage: Usage, name: str, doing: Doing) -> None:
    """Count a use of a bounded promotion, and tell when it was the last."""
    last = await uow.promotions.count_use(usage)
    if last is None:
        raise PromotionExhausted(name)
    if last:
        event = Event(
            "pricing.promotion.exhausted.v1",
            "promotion",
            usage.promotion_id,
            {"promotion_id": str(usage.promotion_id), "order_id": str(usage.order_id)},
        )
        await uow.outbox.add([event], doing.actor, doing.at)


async def give_promotions_back(uow: UnitOfWork, order_id: UUID, doing: Doing) -> None:
    """An order came to nothing: its uses of promotions can be had again. Twice is once."""
    given = await uow.promotions.take_back(order_id)
    if given:
        entries = [_used("promotion.given_back", one) for one in given]
        await uow.audit.add(entries, doing.actor, doing.at)


def _used(action: str, usage: Usage) -> AuditEntry:
    after = {"order_id": str(usage.order_id), "amount_minor": usage.amount_minor}
    return AuditEntry(action, "promotion", str(usage.promotion_id), after=after)
