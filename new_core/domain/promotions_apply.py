"""Applies promotions to a cart: lines, then the order, then shipping.

In each phase they come by (priority, id). Of a stacking group only the one that gives most is
applied; an exclusive one ends its phase; two are applied together only if each combines with
the kind of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from new_core.domain.money import Money, Rounding
from new_core.domain.promotions import Promotion, Running
from new_core.domain.promotions_give import OpenLine, eligible, line_shares, shipping_share
from new_core.domain.promotions_when import CartSeen, holds
from new_core.domain.totals import CouponProblem, Discount, DiscountKind


@dataclass(slots=True)
class OpenCart:
    """A cart while discounts are worked out; lives within one call of `price_cart`.

    Attributes:
        shipping_minor: what shipping still costs; None when no way of shipping is chosen.
    """

    lines: list[OpenLine]
    shipping_minor: int | None
    currency: str
    customer_id: UUID | None
    seen: CartSeen
    rounding: Rounding
    shipping_discounts: list[Discount] = field(default_factory=list)
    totals: list[Discount] = field(default_factory=list)
    applied: list[Promotion] = field(default_factory=list)
    problems: dict[str, CouponProblem] = field(default_factory=dict)
    explained: list[str] = field(default_factory=list)

    @property
    def at(self) -> datetime:
        """When the cart is priced."""
        return self.seen.at


@dataclass(frozen=True, slots=True)
class _Gift:
    """What a promotion would take off now."""

    running: Running
    lines: tuple[OpenLine, ...]
    shares: tuple[int, ...]
    shipping: int

    @property
    def minor(self) -> int:
        return sum(self.shares) + self.shipping


def apply_promotions(cart: OpenCart, coupons: Sequence[str], promotions: Sequence[Running]) -> None:
    """Take off what promotions give, and say of each coupon that gives nothing why.

    `coupons` are normalised; promotions with a code that is not among them are left alone.
    """
    known = {one.promotion.code for one in promotions}
    cart.problems.update((code, CouponProblem.UNKNOWN) for code in coupons if code not in known)
    asked = [one for one in promotions if not one.promotion.code or one.promotion.code in coupons]
    for kind in DiscountKind:
        of_kind = [one for one in asked if one.promotion.kind is kind]
        of_kind.sort(key=lambda one: (one.promotion.priority, one.promotion.id.int))
        _phase(cart, [one for one in of_kind if _may(cart, one)])


def _may(cart: OpenCart, running: Running) -> bool:
    """Whether a promotion is to be had at all, and its conditions hold."""
    promotion = running.promotion
    refusal = _not_for(cart, promotion) or _used_up(cart, running)
    if refusal is None and not holds(promotion.conditions, cart.seen):
        refusal = CouponProblem.CONDITION, "asks for what the cart is not"
    if refusal is None:
        return True
    _refuse(cart, promotion, *refusal)
    return False


def _not_for(cart: OpenCart, promotion: Promotion) -> tuple[CouponProblem, str] | None:
    if not promotion.is_live(cart.at):
        return CouponProblem.NOT_VALID, "is not valid now"
    if promotion.currency and promotion.currency != cart.currency:
        return CouponProblem.NOT_VALID, f"is not for amounts in {cart.currency}"
    return None


def _used_up(cart: OpenCart, running: Running) -> tuple[CouponProblem, str] | None:
    promotion, use = running.promotion, running.use
    if promotion.usage_limit is not None and use.used >= promotion.usage_limit:
        return CouponProblem.EXHAUSTED, "was used as often as it may be"
    if promotion.usage_per_customer is None:
        return None
    if cart.customer_id is None:
        return CouponProblem.CONDITION, "is for known customers"
    if use.by_customer >= promotion.usage_per_customer:
        return CouponProblem.EXHAUSTED, "was used by this customer as often as it may be"
    return None


def _phase(cart: OpenCart, candidates: Sequence[Running]) -> None:
    done: set[UUID] = set()
    for place, running in enumerate(candidates):
        promotion = running.promotion
        if promotion.id in done:
            continue
        gift = _best(cart, _rivals(promotion, candidates[place:]), done)
        if gift is None:
            continue
        _give(cart, gift)
        if gift.running.promotion.exclusive:
            by = gift.running.promotion.name
            for other in candidates:
                if other.promotion.id not in done:
                    _outrank(cart, other.promotion, f"{by} allows none after it")
            return


def _rivals(promotion: Promotion, rest: Sequence[Running]) -> list[Running]:
    group = promotion.stacking_group
    if not group:
        return [rest[0]]
    return [one for one in rest if one.promotion.stacking_group == group]


def _best(cart: OpenCart, rivals: Sequence[Running], done: set[UUID]) -> _Gift | None:
    """What the best of a stacking group gives; all of the group are done with."""
    gifts: list[_Gift] = []
    for running in rivals:
        promotion = running.promotion
        done.add(promotion.id)
        other = next((one for one in cart.applied if not _combine(one, promotion)), None)
        if other is not None:
            _outrank(cart, promotion, f"it does not combine with {other.name}")
            continue
        gift = _gift(cart, running)
        if gift.minor == 0:
            _refuse(cart, promotion, CouponProblem.CONDITION, "finds nothing to take off from")
        elif _over_budget(running, gift.minor):
            _refuse(cart, promotion, CouponProblem.EXHAUSTED, "has too little left to give")
        else:
            gifts.append(gift)
    if not gifts:
        return None
    best = max(gifts, key=lambda one: one.minor)
    for gift in gifts:
        if gift is not best:
            name = best.running.promotion.name
            _outrank(cart, gift.running.promotion, f"{name} of the same group gives more")
    return best


def _combine(one: Promotion, other: Promotion) -> bool:
    return other.kind in one.combines_with and one.kind in other.combines_with


def _over_budget(running: Running, minor: int) -> bool:
    budget = running.promotion.budget_minor
    return budget is not None and running.use.spent_minor + minor > budget


def _gift(cart: OpenCart, running: Running) -> _Gift:
    promotion = running.promotion
    lines = eligible(promotion, cart.lines)
    if promotion.kind is DiscountKind.SHIPPING:
        left = cart.shipping_minor or 0
        return _Gift(running, (), (), shipping_share(promotion, left, cart.lines, cart.rounding))
    return _Gift(running, tuple(lines), tuple(line_shares(promotion, lines, cart.rounding)), 0)


def _give(cart: OpenCart, gift: _Gift) -> None:
    promotion, found = gift.running.promotion, 0
    for line, share in zip(gift.lines, gift.shares, strict=True):
        if share:
            line.left_minor -= share
            line.discounts.append(_discount(promotion, share))
            found += 1
    if gift.shipping:
        cart.shipping_minor = (cart.shipping_minor or 0) - gift.shipping
        cart.shipping_discounts.append(_discount(promotion, gift.shipping))
    cart.totals.append(_discount(promotion, gift.minor))
    cart.applied.append(promotion)
    amount = f"{Money(gift.minor, cart.currency).text} {cart.currency}"
    where = "shipping" if gift.shipping else f"{found} line" + ("s" if found > 1 else "")
    cart.explained.append(f"{promotion.name} takes {amount} off {where}.")


def _discount(promotion: Promotion, minor: int) -> Discount:
    return Discount(promotion.id, promotion.name, promotion.kind, minor, promotion.code)


def _refuse(cart: OpenCart, promotion: Promotion, problem: CouponProblem, why: str) -> None:
    if promotion.code:
        cart.problems[promotion.code] = problem
    cart.explained.append(f"{promotion.name} {why}.")


def _outrank(cart: OpenCart, promotion: Promotion, why: str) -> None:
    if promotion.code:
        cart.problems[promotion.code] = CouponProblem.OUTRANKED
    cart.explained.append(f"{promotion.name} gives nothing: {why}.")
