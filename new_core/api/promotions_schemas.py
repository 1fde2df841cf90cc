"""What is sent and answered about promotions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from new_core.api.pricing_fields import PLAIN, AmountIn, Body, Country, Currency, Moment, Name
from new_core.api.schemas import Amount, Answer, Page
from new_core.domain.catalog import Stored
from new_core.domain.money import Money, minor_of
from new_core.domain.promotions import (
    BuyXGetY,
    FixedPrice,
    Measure,
    Promotion,
    PromotionStatus,
    PromotionUse,
    normal_code,
)
from new_core.domain.promotions_json import (
    action_json,
    action_of,
    condition_json,
    condition_of,
    items_json,
    items_of,
)
from new_core.domain.totals import DiscountKind
from new_core.errors import InvalidValue
from new_core.ports import Usage

Ids = Annotated[list[UUID], Field(max_length=200)]
Ppm = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Units = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Word = Annotated[str, Field(min_length=1, max_length=64, pattern=PLAIN)]


class ItemsBody(Body):
    """Some of a cart's lines: those of any of these; all of them when nothing is named."""

    variants: Ids = Field(default=[])
    products: Ids = Field(default=[])
    categories: Ids = Field(default=[])
    types: Ids = Field(default=[])


class SeveralNode(Body):
    """All, or any, of these hold."""

    node: Literal["all", "any"]
    of: list[ConditionBody] = Field(max_length=50)


class NotNode(Body):
    """The other does not hold."""

    node: Literal["not"]
    of: ConditionBody


class SubtotalNode(Body):
    """Lines cost so much, before discounts."""

    node: Literal["subtotal"]
    min: AmountIn
    items: ItemsBody = ItemsBody()


class QuantityNode(Body):
    """There are so many units."""

    node: Literal["quantity"]
    min: Units
    items: ItemsBody = ItemsBody()


class GroupNode(Body):
    """The buyer is in any of these customer groups."""

    node: Literal["customer_group"]
    ids: Ids


class ChannelNode(Body):
    """The cart is of any of these channels."""

    node: Literal["channel"]
    codes: list[Word] = Field(max_length=50)


class CountryNode(Body):
    """The goods go to any of these countries."""

    node: Literal["country"]
    codes: list[Country] = Field(max_length=250)


class TimeNode(Body):
    """It is any of these weekdays (1 is Monday), within these minutes of the day, in UTC."""

    node: Literal["time"]
    weekdays: list[Annotated[StrictInt, Field(ge=1, le=7)]] = Field(default=[], max_length=7)
    from_minute: StrictInt = Field(default=0, ge=0, le=1439)
    to_minute: StrictInt = Field(default=1440, ge=1, le=1440)


ConditionBody = Annotated[
    SeveralNode
    | NotNode
    | SubtotalNode
    | QuantityNode
    | GroupNode
    | ChannelNode
    | CountryNode
    | TimeNode,
    Field(discriminator="node"),
]
SeveralNode.model_rebuild()
NotNode.model_rebuild()


class PercentOffBody(Body):
    """A share off, in millionths."""

    type: Literal["percent_off"]
    ppm: Ppm


class AmountOffBody(Body):
    """An amount off each unit of a line, off the order, or off shipping."""

    type: Literal["amount_off"]
    amount: AmountIn


class FixedPriceBody(Body):
    """What each unit of a line, or shipping, costs instead."""

    type: Literal["fixed_price"]
    amount: AmountIn


class BuyXGetYBody(Body):
    """Of every `buy` + `get` units the cheapest `get` get a share off."""

    type: Literal["buy_x_get_y"]
    buy: StrictInt = Field(ge=1, le=1000)
    get: StrictInt = Field(ge=1, le=1000)
    ppm: Ppm = 1_000_000


class TierBody(Body):
    """What is given from a measure on: an amount, or a number of units."""

    from_: AmountIn | Annotated[StrictInt, Field(ge=0, le=1_000_000)] = Field(alias="from")
    gives: Annotated[PercentOffBody | AmountOffBody, Field(discriminator="type")]


class TieredBody(Body):
    """The highest tier that the items reach together, before discounts."""

    type: Literal["tiered"]
    measure: Measure
    tiers: list[TierBody] = Field(min_length=1, max_length=50)


ActionBody = Annotated[
    PercentOffBody | AmountOffBody | FixedPriceBody | BuyXGetYBody | TieredBody,
    Field(discriminator="type"),
]


class PromotionBody(Body):
    """A promotion as it is to be."""

    name: Name
    kind: DiscountKind
    action: ActionBody
    code: str = Field(
        default="", max_length=64, pattern=r"^[^\x00-\x1f]*$",
        description="what a shopper types, in any case; empty applies by itself",
    )  # fmt: skip
    conditions: ConditionBody = SeveralNode(node="all", of=[])
    items: ItemsBody = ItemsBody()
    priority: StrictInt = Field(default=0, ge=-1_000_000, le=1_000_000, description="ascending")
    stacking_group: str = Field(default="", max_length=64, pattern=PLAIN)
    exclusive: StrictBool = False
    combines_with: list[DiscountKind] = Field(default=list(DiscountKind), max_length=3)
    currency: Currency | None = Field(default=None, description="of its amounts, if it has any")
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    status: PromotionStatus = PromotionStatus.ACTIVE
    usage_limit: StrictInt | None = Field(default=None, ge=1, le=10**12)
    usage_per_customer: StrictInt | None = Field(default=None, ge=1, le=10**9)
    budget: AmountIn | None = None
    applies_to_contract: StrictBool = False

    def of(self, promotion_id: UUID) -> Promotion:
        """The promotion of this id.

        Raises:
            InvalidValue: its parts do not fit each other.
        """
        currency = self.currency or ""
        data = self.model_dump(mode="json", by_alias=True)
        action = action_of(data["action"], currency)
        if isinstance(action, BuyXGetY) and self.kind is not DiscountKind.LINE:
            raise InvalidValue("action", "buy_x_get_y is for the kind line")
        if isinstance(action, FixedPrice) and self.kind is DiscountKind.ORDER:
            raise InvalidValue("action", "fixed_price is for the kinds line and shipping")
        if self.starts_at and self.ends_at and self.starts_at >= self.ends_at:
            raise InvalidValue("ends_at", "must be after starts_at")
        if self.budget is not None and self.budget.currency != currency:
            raise InvalidValue("budget", "must be in the promotion's currency")
        return Promotion(
            id=promotion_id,
            name=self.name,
            kind=self.kind,
            action=action,
            code=normal_code(self.code),
            conditions=condition_of(data["conditions"], currency),
            items=items_of(data["items"]),
            priority=self.priority,
            stacking_group=self.stacking_group,
            exclusive=self.exclusive,
            combines_with=frozenset(self.combines_with),
            currency=currency,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            status=self.status,
            usage_limit=self.usage_limit,
            usage_per_customer=self.usage_per_customer,
            budget_minor=minor_of(self.budget.amount, currency) if self.budget else None,
            applies_to_contract=self.applies_to_contract,
        )


class PromotionOut(Answer):
    """A promotion."""

    id: UUID
    name: str
    kind: DiscountKind
    action: dict[str, Any] = Field(description="as it is sent")
    code: str
    conditions: dict[str, Any] = Field(description="as they are sent")
    items: dict[str, list[UUID]]
    priority: int
    stacking_group: str
    exclusive: StrictBool
    combines_with: list[DiscountKind]
    currency: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    status: PromotionStatus
    usage_limit: int | None
    usage_per_customer: int | None
    budget: Amount | None
    applies_to_contract: StrictBool
    version: int
    updated_at: datetime

    @classmethod
    def of(cls, stored: Stored[Promotion]) -> PromotionOut:
        """A promotion as it is stored."""
        one = stored.value
        budget = one.budget_minor
        return cls(
            id=one.id,
            name=one.name,
            kind=one.kind,
            action=action_json(one.action, one.currency),
            code=one.code,
            conditions=condition_json(one.conditions, one.currency),
            items=items_json(one.items),
            priority=one.priority,
            stacking_group=one.stacking_group,
            exclusive=one.exclusive,
            combines_with=sorted(one.combines_with),
            currency=one.currency or None,
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            status=one.status,
            usage_limit=one.usage_limit,
            usage_per_customer=one.usage_per_customer,
            budget=Amount.of(None if budget is None else Money(budget, one.currency)),
            applies_to_contract=one.applies_to_contract,
            version=stored.version,
            updated_at=stored.updated_at,
        )


class Promotions(Answer):
    """A page of promotions, ascending by id."""

    data: list[PromotionOut]
    page: Page


class UsageOut(Answer):
    """One use of a promotion, by an order."""

    order_id: UUID
    customer_id: UUID | None
    coupon: str | None
    amount_minor: int = Field(description="in minor units of the order's currency")
    used_at: datetime

    @classmethod
    def of(cls, one: Usage) -> UsageOut:
        """A use."""
        return cls(
            order_id=one.order_id, customer_id=one.customer_id, coupon=one.coupon or None,
            amount_minor=one.amount_minor, used_at=one.used_at,
        )  # fmt: skip


class Usages(Answer):
    """How often a promotion was used, and a page of its uses, ascending by order."""

    used: int
    spent_minor: int
    data: list[UsageOut]
    page: Page

    @classmethod
    def of(cls, use: PromotionUse, data: list[UsageOut], page: Page) -> Usages:
        """Uses with their sums."""
        return cls(used=use.used, spent_minor=use.spent_minor, data=data, page=page)
