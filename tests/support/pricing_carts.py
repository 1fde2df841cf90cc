"""Random carts with promotions and taxes, for properties and for both databases."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import strategies as st

from new_core.domain.buyer import Buyer, Destination
from new_core.domain.money import Rounding
from new_core.domain.pricing import Listed, Price, PriceList, PriceListKind, PriceTrace, Standing
from new_core.domain.promotions import (
    Action,
    AmountOff,
    BuyXGetY,
    FixedPrice,
    Items,
    Measure,
    PercentOff,
    Promotion,
    Running,
    SubtotalFrom,
    Tier,
    Tiered,
)
from new_core.domain.promotions_when import ItemFacts
from new_core.domain.reservation import Want
from new_core.domain.tax import TaxRounding, TaxRule, TaxSystem
from new_core.domain.totals import CartAsked, DiscountKind, LineAsked, ShippingAsked
from new_core.domain.totals_cart import Known

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HERE = Destination("CA", "QC")
CURRENCIES = ("JPY", "CAD", "KWD")
CODES = ("ONE", "TWO")
MOST_VARIANTS = 6


def random_action(dice: random.Random, kind: DiscountKind) -> Action:
    """Any action that fits the kind."""
    percent = PercentOff(dice.randint(1, 1_000_000))
    amount = AmountOff(dice.randint(0, 3000))
    off: list[PercentOff | AmountOff] = [percent, amount]
    if kind is DiscountKind.SHIPPING:
        return dice.choice([*off, FixedPrice(dice.randint(0, 500))])
    tiers = tuple(Tier(dice.randint(0, 9), dice.choice(off)) for _ in range(dice.randint(1, 3)))
    choices: list[Action] = [*off, Tiered(dice.choice(list(Measure)), tiers)]
    if kind is DiscountKind.LINE:
        buys = BuyXGetY(dice.randint(1, 3), dice.randint(1, 2), dice.randint(1, 1_000_000))
        choices += [FixedPrice(dice.randint(0, 900)), buys]
    return dice.choice(choices)


def random_promotion(dice: random.Random, number: int, currency: str) -> Promotion:
    """Any promotion, with a code or without."""
    kind = dice.choice(list(DiscountKind))
    some = frozenset(UUID(int=n + 1) for n in range(MOST_VARIANTS) if dice.random() < 0.5)
    return Promotion(
        id=UUID(int=0xF0000 + number),
        name=f"Promotion {number}",
        kind=kind,
        action=random_action(dice, kind),
        code=CODES[number] if number < len(CODES) and dice.random() < 0.5 else "",
        conditions=SubtotalFrom(dice.choice([0, 0, 2000])),
        items=Items(variant_ids=some) if dice.random() < 0.4 else Items(),
        priority=dice.randint(0, 2),
        stacking_group=dice.choice(["", "", "g"]),
        exclusive=dice.random() < 0.15,
        combines_with=frozenset(one for one in DiscountKind if dice.random() < 0.8),
        currency=currency,
        applies_to_contract=dice.random() < 0.5,
    )


def random_rules(dice: random.Random) -> tuple[TaxRule, ...]:
    """Up to three taxes, side by side or on top of each other."""
    rates = [dice.choice([0, 50_000, 99_750, 130_000, 200_000, 1_000_000]) for _ in range(3)]
    return tuple(
        TaxRule(
            UUID(int=0x7A0 + n), f"T{n}", f"Tax {n}", "CA", dice.choice(["", "QC"]),
            dice.choice(["standard", "standard", "reduced"]), ppm, compound=dice.random() < 0.3,
        )
        for n, ppm in enumerate(rates[: dice.randint(0, 3)])
    )  # fmt: skip


def random_cart(dice: random.Random) -> tuple[CartAsked, Known]:
    """A cart, and all that its money depends on."""
    currency = dice.choice(CURRENCIES)
    included = dice.random() < 0.5
    prices = {
        UUID(int=n + 1): (
            dice.choice([None, dice.randint(0, 50_000_000), dice.randint(0, 40_000)])
            if dice.random() < 0.2
            else dice.randint(1, 30) * 990_000
        )
        for n in range(MOST_VARIANTS)
    }
    lines = tuple(
        LineAsked(
            UUID(int=0x11000 + n), dice.choice(list(prices)), dice.randint(1, 12),
            dice.randint(0, 9_000_000) if dice.random() < 0.1 else None,
        )
        for n in range(dice.randint(0, 8))
    )  # fmt: skip
    contracts = {one for one in prices if dice.random() < 0.2}
    traces = {
        Want(one.variant_id, one.quantity): _trace(
            one.variant_id, prices[one.variant_id], currency,
            PriceListKind.CONTRACT if one.variant_id in contracts else PriceListKind.BASE,
            included=included,
        )
        for one in lines
    }  # fmt: skip
    facts = {
        one: ItemFacts(
            one, frozenset([one]), discountable=dice.random() < 0.9,
            tax_class=dice.choice(["standard", "standard", "reduced"]),
        )
        for one in prices
    }  # fmt: skip
    promotions = [Running(random_promotion(dice, n, currency)) for n in range(dice.randint(0, 5))]
    shipping = ShippingAsked("post", "Post", dice.randint(0, 2500)) if dice.random() < 0.7 else None
    asked = CartAsked(Buyer(currency), lines, CODES, shipping, HERE)
    taxes = TaxSystem(random_rules(dice), (), dice.choice(list(TaxRounding)))
    return asked, Known(NOW, traces, facts, promotions, taxes, dice.choice(list(Rounding)))


carts = st.integers(0, 2**32).map(lambda seed: random_cart(random.Random(seed)))


def _trace(
    variant: UUID, micro: int | None, currency: str, kind: PriceListKind, *, included: bool
) -> PriceTrace:
    price_list = PriceList(UUID(int=0xBA5E), "base", currency, kind, 0, tax_included=included)
    chosen = Listed(Price(variant, price_list.id, variant, None, 1, micro), price_list)
    return PriceTrace(chosen, (), None, Standing.BASE)
