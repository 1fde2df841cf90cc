"""Promotions: what they ask for and what they give."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from new_core.domain.totals import DiscountKind

WHOLE_PPM = 1_000_000
EVERY_KIND = frozenset(DiscountKind)


@dataclass(frozen=True, slots=True)
class Items:
    """Some of a cart's lines: those of any of these; all lines when nothing is named.

    Attributes:
        category_ids: of categories, with those below them.
    """

    variant_ids: frozenset[UUID] = frozenset()
    product_ids: frozenset[UUID] = frozenset()
    category_ids: frozenset[UUID] = frozenset()
    type_ids: frozenset[UUID] = frozenset()

    @property
    def everything(self) -> bool:
        """Whether all lines are meant."""
        return not (self.variant_ids or self.product_ids or self.category_ids or self.type_ids)


EVERYTHING = Items()


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of these hold; nothing named holds always."""

    of: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of these holds."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class NotThat:
    """The other does not hold."""

    of: Condition


@dataclass(frozen=True, slots=True)
class SubtotalFrom:
    """Lines cost so much, before discounts."""

    min_minor: int
    items: Items = EVERYTHING


@dataclass(frozen=True, slots=True)
class QuantityFrom:
    """There are so many units."""

    min_quantity: int
    items: Items = EVERYTHING


@dataclass(frozen=True, slots=True)
class InGroup:
    """The buyer is in any of these customer groups."""

    group_ids: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class InChannel:
    """The cart is of any of these channels."""

    channels: frozenset[str]


@dataclass(frozen=True, slots=True)
class InCountry:
    """The goods go to any of these countries."""

    countries: frozenset[str]


@dataclass(frozen=True, slots=True)
class AtTime:
    """It is any of these weekdays, and within these hours; UTC.

    Attributes:
        weekdays: 1 is Monday; empty is every day.
        from_minute, to_minute: of the day, half-open; they may pass midnight.
    """

    weekdays: frozenset[int] = frozenset()
    from_minute: int = 0
    to_minute: int = 1440


Condition = (
    AllOf | AnyOf | NotThat | SubtotalFrom | QuantityFrom | InGroup | InChannel | InCountry | AtTime
)
"""The closed set of what a promotion may ask for."""

ALWAYS = AllOf()


@dataclass(frozen=True, slots=True)
class PercentOff:
    """A share of what the lines, the order or shipping still cost."""

    ppm: int


@dataclass(frozen=True, slots=True)
class AmountOff:
    """An amount: off each unit of a line, off the order, or off shipping."""

    minor: int


@dataclass(frozen=True, slots=True)
class FixedPrice:
    """What each unit of a line, or shipping, costs instead, where that is less."""

    minor: int


@dataclass(frozen=True, slots=True)
class BuyXGetY:
    """Of every `buy` + `get` units the `get` cheapest ones get a share off."""

    buy: int
    get: int
    ppm: int = WHOLE_PPM


class Measure(StrEnum):
    """What a tier goes by."""

    SUBTOTAL = "subtotal"
    QUANTITY = "quantity"


@dataclass(frozen=True, slots=True)
class Tier:
    """What is given from a measure on."""

    least: int
    gives: PercentOff | AmountOff


@dataclass(frozen=True, slots=True)
class Tiered:
    """The highest tier that the items reach together, before discounts.

    Attributes:
        tiers: ascending by `least`: minor units, or units.
    """

    measure: Measure
    tiers: tuple[Tier, ...]


Action = PercentOff | AmountOff | FixedPrice | BuyXGetY | Tiered
"""The closed set of what a promotion may give."""


class PromotionStatus(StrEnum):
    """Whether a promotion is to be had within its time."""

    DRAFT = "draft"
    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promotion.

    Attributes:
        code: what a shopper types, upper case; empty applies by itself.
        items: the lines it gives on; of an order promotion, those whose sum counts.
        priority: ascending; what comes first is applied first.
        stacking_group: of those of one name and kind only the one that gives most is applied.
        exclusive: when it is applied, nothing after it of its kind is.
        combines_with: the kinds of promotions beside which it may be applied.
        currency: of its amounts; empty where it names none, and then any will do.
        starts_at, ends_at: half-open; None is without a bound.
        usage_per_customer: such a promotion is for known customers only.
        budget_minor: what it may take off in all.
        applies_to_contract: whether it gives on lines of contract prices too.
    """

    id: UUID
    name: str
    kind: DiscountKind
    action: Action
    code: str = ""
    conditions: Condition = ALWAYS
    items: Items = EVERYTHING
    priority: int = 0
    stacking_group: str = ""
    exclusive: bool = False
    combines_with: frozenset[DiscountKind] = EVERY_KIND
    currency: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    status: PromotionStatus = PromotionStatus.ACTIVE
    usage_limit: int | None = None
    usage_per_customer: int | None = None
    budget_minor: int | None = None
    applies_to_contract: bool = False

    def is_live(self, at: datetime) -> bool:
        """Whether it is to be had now."""
        started = self.starts_at is None or self.starts_at <= at
        return (
            self.status is PromotionStatus.ACTIVE
            and started
            and (self.ends_at is None or at < self.ends_at)
        )


@dataclass(frozen=True, slots=True)
class PromotionUse:
    """How often a promotion was used, as of some moment.

    Attributes:
        by_customer: by the customer who asks.
    """

    used: int = 0
    spent_minor: int = 0
    by_customer: int = 0


@dataclass(frozen=True, slots=True)
class Running:
    """A promotion with its use so far."""

    promotion: Promotion
    use: PromotionUse = PromotionUse()


def normal_code(text: str) -> str:
    """A coupon's code as it is kept: shoppers type it in any case, with spaces around."""
    return text.strip().upper()
